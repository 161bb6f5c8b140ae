//! What a move leaves in the journal, from its beginning to either end.

use serde_json::Value;

use super::{answer, journal, saga, shop, types};
use crate::support::{eventually, ran};

#[test]
fn a_move_is_a_saga_from_its_first_run_to_its_proven_end() {
    let shop = shop();
    let running = shop.follow(&[]);
    let status = shop.status();
    let id = status["journal"]["id"].as_str().unwrap().to_owned();
    assert_eq!((&status["journal"]["step"], &status["journal"]["runs"]), (&"follow".into(), &1.into()), "{status}");
    assert_eq!(status["slot"]["name"].as_str().unwrap(), format!("atalaya_{}", id.replace('-', "_")));
    let text = shop.done("status", &[]);
    assert!(text.contains(" of 1; goes on") && text.contains(&format!("journal  {id}, at step `follow`")), "{text}");
    assert_eq!(shop.validate(&[]).code, Some(0));
    // What was there, or gone, before is nobody's doing.
    for deed in ["make", "make", "remove", "remove"] {
        let words =
            ["migrate", "way-back", deed, "--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--name", "shop"];
        let done = ran(&mut shop.command(&words));
        assert_eq!(done.code, Some(0), "{deed}: {}\n{}", done.stdout, done.stderr);
    }
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    let text = shop.done("status", &[]);
    assert!(text.contains("stopped at "), "{text}");
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.done("finish", &[]);

    let saga = saga(&shop);
    assert_eq!((&saga["id"], &saga["end"]), (&id.as_str().into(), &"completed".into()), "{saga}");
    assert!(saga["started_at_us"].as_i64() < saga["ended_at_us"].as_i64(), "{saga}");
    let shown = answer(&shop, &["sagas", "show", &id]);
    for step in shown["steps"].as_array().unwrap() {
        assert!(step["begun_at_us"].as_i64() <= step["settled_at_us"].as_i64(), "{step}");
    }
    let who = shown["answered_by"]["follow"].as_str().unwrap();
    let text = journal(&shop, &["sagas", "show", &id]).stdout;
    let follow = text.lines().find(|line| line.trim_start().starts_with("follow ")).unwrap();
    assert!(follow.contains(" UTC to ") && follow.ends_with(&format!(" UTC, by {who}")), "{text}");
    assert!(text.lines().next().unwrap().contains(": completed at "), "{text}");
    let happened = types(&shop, &format!("migration-{id}"));
    let count = |name: &str| happened.iter().filter(|each| *each == name).count();
    assert_eq!((count("MigrationRunBegan"), count("MigrationRunEnded")), (2, 2), "{happened:?}");
    assert_eq!((count("MigrationTableCopied"), count("MigrationStopAsked"), count("MigrationProven")), (1, 1, 2));
    assert_eq!((count("MigrationWayBackMade"), count("MigrationWayBackRemoved")), (1, 1), "{happened:?}");
    let ran = shop.run("status", &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains(&format!("by the journal `{id}` was finished at ")), "{}", ran.stderr);
    let verified = answer(&shop, &["verify"]);
    assert_eq!((&verified["verdict"], &verified["finding"]), (&"intact".into(), &Value::Null));

    // A new one of the same name is another one.
    shop.target.run_sql("shop", "DROP TABLE item").unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    assert_ne!(shop.status()["journal"]["id"], id.as_str());
    // Neither a row's value nor a credential is in it.
    let bytes = std::fs::read(shop.state().join("journal.db")).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!holds("confidential") && !holds("postgres://") && holds(&id));
}

#[test]
fn an_aborted_move_is_compensated_and_the_targets_rows_stay() {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    // What would be removed is only told: nothing is decided.
    shop.done("abort", &["--dry-run"]);
    assert_eq!(saga(&shop)["phase"], "going");
    shop.done("abort", &[]);
    let saga = saga(&shop);
    assert_eq!(saga["end"], "compensated", "{saga}");
    assert_eq!(saga["failure"], "follow: `atalaya migrate abort`");
    let happened = types(&shop, &format!("migration-{}", saga["id"].as_str().unwrap()));
    assert_eq!(happened.last().map(String::as_str), Some("MigrationRemoved"));
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap(), "500");
    let text = journal(&shop, &["sagas", "--all"]).stdout;
    assert!(text.contains("compensated"), "{text}");
    let id = saga["id"].as_str().unwrap();
    let decided = &answer(&shop, &["sagas", "show", id])["decisions"][0];
    assert_eq!((&decided["decided"], &decided["step"]), (&"turn_back".into(), &"follow".into()), "{decided}");
    let text = journal(&shop, &["sagas", "show", id]).stdout;
    let who = decided["by"].as_str().unwrap();
    assert!(text.contains(&format!(" UTC  {who} had it go back at follow: `atalaya migrate abort`")), "{text}");
    assert_eq!(journal(&shop, &["sagas"]).stdout, "none\n");
    let repeated = shop.done("abort", &[]);
    assert!(repeated.contains("removed 0 slots"), "{repeated}");
}

#[test]
fn a_run_that_fails_is_told_by_status_with_its_reason() {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source.run_sql("shop", "ALTER TABLE item ALTER COLUMN v TYPE varchar(40)").unwrap();
    shop.source.run_sql("shop", "INSERT INTO item VALUES (501, 'x')").unwrap();
    let ran = shop.run("start", &["--stop-when", "caught-up"]);
    assert_ne!(ran.code, Some(0));
    let run = &shop.status()["journal"]["last_run"];
    assert!(["failed", "refused"].contains(&run["outcome"].as_str().unwrap()), "{run}");
    assert!(run["reason"].as_str().unwrap().contains("item"), "{run}");
    assert!(shop.done("status", &[]).contains("item"));
}

#[test]
fn the_tail_follows_what_comes_and_shows_what_is_asked_for() {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    let all = journal(&shop, &["tail", "--from", "1", "--output", "json"]).stdout;
    let positions: Vec<u64> =
        all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["position"].as_u64().unwrap()).collect();
    let head = u64::try_from(positions.len()).unwrap();
    assert_eq!(positions, (1..=head).collect::<Vec<u64>>());
    let last = journal(&shop, &["tail", "-n", "2"]).stdout;
    assert_eq!(last.lines().count(), 2, "{last}");
    assert!(last.trim_start().starts_with(&(head - 1).to_string()), "{last}");
    let runs = journal(&shop, &["tail", "--type", "MigrationRunBegan", "--type", "MigrationRunEnded"]).stdout;
    assert_eq!(runs.lines().count(), 2, "{runs}");
    let sagas = journal(&shop, &["tail", "--category", "saga", "-n", "3"]).stdout;
    assert!(sagas.lines().all(|line| line.contains("  saga-shop-")) && sagas.lines().count() == 3, "{sagas}");

    let following = shop.spawn_words(&["journal", "tail", "--follow", "-n", "0"], &[]);
    eventually("another event", || {
        let _any = shop.run("stop", &["--timeout", "1"]);
        shop.done("start", &["--stop-when", "caught-up"]);
        following.stdout().contains("MigrationRunEnded")
    });
    crate::support::signal(following.pid(), nix::sys::signal::Signal::SIGINT);
    assert_eq!(following.wait().code, Some(0));

    let shown = answer(&shop, &["show", "1"]);
    assert_eq!((&shown["type"], &shown["data"]["input"]["name"]), (&"SagaStarted".into(), &"shop".into()));
    let none = journal(&shop, &["show", "order-7"]);
    assert!(none.code == Some(1) && none.stderr.contains("hint: "), "{none:?}");
    let beyond = journal(&shop, &["show", "99999"]);
    assert!(beyond.code == Some(1) && beyond.stderr.contains("no event at position 99999"), "{beyond:?}");
}

#[test]
fn looking_into_a_journal_that_is_not_there_makes_none() {
    let shop = shop();
    for words in [&["tail"][..], &["show", "1"], &["verify"], &["sagas"]] {
        let ran = journal(&shop, words);
        assert_eq!(ran.code, Some(1), "{words:?}");
        assert!(ran.stderr.contains("there is no journal in ") && ran.stderr.contains("--state"), "{}", ran.stderr);
    }
    let key = shop.state().join("../journal.key");
    assert_eq!(journal(&shop, &["key", key.to_str().unwrap()]).code, Some(1));
    assert_eq!(shop.run("status", &[]).code, Some(1));
    assert!(!shop.state().join("journal.db").exists());
}
