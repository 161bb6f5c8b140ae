//! Kills, signals, and a journal that is gone or cannot be written.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use super::{journal, saga, shop, types};
use crate::support::{Move, ran, signal};

#[test]
fn kills_in_runs_and_in_the_removal_leave_one_saga_that_the_same_commands_end() {
    let shop = shop();
    let mut id = None;
    for place in ["migration-written:1", "position-stored:1", "rows-copied:1"] {
        let killed =
            ran(shop.command(&Move::migrate("start", &["--stop-when", "caught-up"])).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {}", killed.stderr);
        let now = saga(&shop)["id"].clone();
        assert_eq!(*id.get_or_insert(now.clone()), now, "{place}");
        let text = shop.done("status", &[]);
        assert!(text.contains("broke off without a word"), "{text}");
    }
    shop.done("start", &["--stop-when", "caught-up"]);
    for place in ["schema-completed:1", "finish-stored:1", "source-cleaned:1", "target-forgotten:1"] {
        let killed = ran(shop.command(&Move::migrate("finish", &[])).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {}", killed.stderr);
        assert_eq!(saga(&shop)["phase"], "going", "{place}");
    }
    // Nothing of it is on either side any more: only the journal waits for its last word.
    assert_eq!(shop.run("status", &[]).code, Some(1));
    let text = shop.done("finish", &[]);
    assert!(text.contains("finished"), "{text}");
    assert_eq!(saga(&shop)["end"], "completed");
    let again = shop.run("finish", &[]);
    assert_eq!(again.code, Some(4), "{}", again.stderr);
    shop.assert_equal();
}

#[test]
fn what_was_written_after_a_killed_finish_is_applied_and_proven_before_anything_goes() {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    for (place, value) in [("schema-completed:1", 1001), ("triggers-set-back:1", 1002)] {
        let killed = ran(shop.command(&Move::migrate("finish", &[])).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {}", killed.stderr);
        shop.source.run_sql("shop", &format!("INSERT INTO item VALUES ({value}, 'late')")).unwrap();
    }
    // A row that differs is found, and the slot stays.
    shop.target.run_sql("shop", "UPDATE item SET v = 'other' WHERE id = 7").unwrap();
    let refused = shop.run("finish", &[]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap(), "1");
    shop.target.run_sql("shop", "UPDATE item SET v = 'confidential 7' WHERE id = 7").unwrap();
    shop.done("finish", &[]);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap(), "502");
    shop.assert_equal();
}

#[test]
fn a_journal_that_is_removed_while_a_run_writes_to_it_is_told() {
    let shop = shop();
    let mut running = shop.follow(&[]);
    std::fs::remove_file(shop.state().join("journal.db")).unwrap();
    shop.source
        .run_sql("shop", "ALTER TABLE item ADD COLUMN more int; INSERT INTO item VALUES (2001, 'x', 1)")
        .unwrap();
    crate::support::eventually("the run's warning", || {
        running.assert_alive();
        running.stderr().contains("its file was removed or replaced")
    });
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &[]);
    shop.assert_equal();
}

#[test]
fn a_second_start_is_refused_and_leaves_what_the_first_has_said() {
    let shop = shop();
    let running = shop.follow(&[]);
    let before = shop.status()["journal"]["last_run"].clone();
    let second = shop.run("start", &[]);
    assert_eq!(second.code, Some(4), "{}", second.stderr);
    assert_eq!(shop.status()["journal"]["last_run"], before);
    shop.done("stop", &[]);
    running.wait();
    assert_eq!(shop.status()["journal"]["last_run"]["outcome"], "stopped");
}

#[test]
fn a_target_that_was_made_anew_is_no_end_of_a_move() {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    let killed = ran(shop.command(&Move::migrate("finish", &[])).env("ATALAYA_FAILPOINT", "finish-stored:1"));
    assert_eq!(killed.signal, Some(9), "{}", killed.stderr);
    shop.target.run_sql("postgres", "DROP DATABASE shop WITH (FORCE)").unwrap();
    shop.target.create_database("shop").unwrap();
    let refused = shop.run("finish", &[]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    let nothing = shop.done("abort", &[]);
    assert!(nothing.contains("the target knows no such migration"), "{nothing}");
    assert_eq!(saga(&shop)["phase"], "going", "nothing was undone");
    shop.done("abort", &["--target-gone"]);
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap(), "0");
}

#[test]
fn a_killed_abort_keeps_runs_from_going_on_until_it_is_done() {
    let shop = shop();
    let running = shop.follow(&[]);
    let refused = shop.run("abort", &[]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert_eq!(saga(&shop)["phase"], "going", "a run goes on: nothing was decided");
    assert_eq!(saga(&shop)["way"], "forward");
    shop.done("stop", &[]);
    running.wait();
    shop.source.run_sql("shop", "BEGIN; LOCK TABLE item; COMMIT").unwrap();
    let killed = ran(shop.command(&Move::migrate("abort", &[])).env("ATALAYA_FAILPOINT", "abort-begun:1"));
    assert_eq!(killed.signal, Some(9), "{}", killed.stderr);
    assert_eq!(saga(&shop)["way"], "back");
    for verb in ["start", "finish"] {
        let ran = shop.run(verb, &[]);
        assert_eq!(ran.code, Some(4), "{verb}: {}", ran.stderr);
        assert!(ran.stderr.contains("is being aborted") && ran.stderr.contains("hint: "), "{verb}: {}", ran.stderr);
    }
    shop.done("abort", &[]);
    assert_eq!(saga(&shop)["end"], "compensated");
}

#[test]
fn an_interrupted_run_says_so_in_the_journal() {
    let shop = shop();
    let running = shop.follow(&[]);
    signal(running.pid(), Signal::SIGTERM);
    assert_eq!(running.wait().code, Some(1));
    assert_eq!(shop.status()["journal"]["last_run"]["outcome"], "interrupted");
}

#[test]
fn a_run_that_was_killed_is_told_by_the_next_one() {
    let shop = shop();
    let running = shop.follow(&[]);
    signal(running.pid(), Signal::SIGKILL);
    running.wait();
    shop.done("start", &["--stop-when", "caught-up"]);
    let happened = types(&shop, &format!("migration-{}", saga(&shop)["id"].as_str().unwrap()));
    let runs: Vec<&str> = happened.iter().map(String::as_str).filter(|name| name.starts_with("MigrationRun")).collect();
    let expected = ["MigrationRunBegan", "MigrationRunEndUnknown", "MigrationRunBegan", "MigrationRunEnded"];
    assert_eq!(runs, expected);
}

#[test]
fn a_move_goes_on_with_another_journal_where_its_own_is_lost() {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    let id = saga(&shop)["id"].clone();
    for name in ["journal.db", "tables.db"] {
        std::fs::remove_file(shop.state().join(name)).unwrap();
    }
    shop.done("start", &["--stop-when", "caught-up"]);
    let taken = saga(&shop);
    assert_eq!(taken["id"], id, "the same migration");
    let first = super::answer(&shop, &["show", "1"]);
    assert_eq!(first["data"]["input"]["adopted"], true);
    for name in ["journal.db", "tables.db"] {
        std::fs::remove_file(shop.state().join(name)).unwrap();
    }
    shop.done("finish", &[]);
    assert_eq!(saga(&shop)["end"], "completed");
    shop.assert_equal();
}

#[test]
fn a_journal_that_cannot_be_had_is_refused_at_the_start_and_keeps_nobody_from_freeing_the_source() {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    std::fs::write(shop.state().join("journal.db"), "no journal at all, but long enough to be read as one").unwrap();
    let ran = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: the journal is kept in "), "{}", ran.stderr);
    let ran = shop.run("status", &[]);
    assert!(ran.code == Some(0) && ran.stderr.contains("warning: the journal cannot be read"), "{ran:?}");
    let ran = shop.run("abort", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: it is not written down in the journal"), "{}", ran.stderr);
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap(), "0");
}

#[test]
fn a_refused_start_leaves_no_saga_and_the_journal_is_its_owners_alone() {
    let shop = Move::between(15, 15);
    let refused = shop.run("start", &[]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(!shop.state().join("journal.db").exists(), "nothing was begun");
    shop.source.run_sql("shop", super::TABLES).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    for name in ["journal.db", "tables.db"] {
        let mode = std::fs::metadata(shop.state().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let id = saga(&shop)["id"].as_str().unwrap().to_owned();
    // It waits for nobody's decision.
    let given_up = journal(&shop, &["sagas", "abandon", &id, "--reason", "a test of it"]);
    assert_eq!(given_up.code, Some(4), "{}", given_up.stderr);
    assert!(!types(&shop, &format!("saga-{id}")).contains(&"SagaAbandoned".to_owned()));
    assert_eq!(journal(&shop, &["sagas", "abandon", &id, "--reason", ""]).code, Some(2));
    shop.done("abort", &[]);
}
