//! Runs that end while transactions are in progress or are being played: nothing of them is on the target, nothing
//! is left in a file, and the next run is sent them again.

use std::os::unix::fs::PermissionsExt;

use super::{between, count, open, streamed};
use crate::support::{Move, eventually, ran};

const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];
const SCHEMA: &str = "CREATE TABLE item (id int PRIMARY KEY, v text); CREATE TABLE plain (v text);
                      ALTER TABLE plain REPLICA IDENTITY FULL; INSERT INTO plain SELECT 'equal' FROM generate_series(1, 9)";

/// About 12 MB, more than is kept in memory; parts of it are rolled back.
const LARGE: &str = "
BEGIN;
INSERT INTO item SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 20000) i;
SAVEPOINT s; UPDATE item SET v = repeat(v, 2) WHERE id <= 5000; DELETE FROM plain; ROLLBACK TO s;
INSERT INTO plain SELECT repeat('equal', 50) FROM generate_series(1, 9000);
UPDATE item SET v = 'last' WHERE id % 10 = 0;
COMMIT;
";

/// Files in the migration's own folder, its schema's dump aside.
fn files(shop: &Move) -> Vec<String> {
    let folder = shop.state().join("migrations/shop");
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with(".dump") && name != "roles.sql").collect()
}

#[test]
fn kills_while_a_large_transaction_is_written_and_while_it_is_played_leave_nothing_of_it() {
    for (from, to) in [(14, 18), (18, 18)] {
        let shop = between(from, to);
        shop.source.run_sql("shop", SCHEMA).unwrap();
        shop.done("start", CAUGHT_UP);
        shop.source.run_sql("shop", LARGE).unwrap();
        for place in [
            "spill-written:1",
            "spill-written:2",
            "spill-read:1",
            "spill-read:5",
            "apply-part-written:1",
            "apply-position-written:1",
        ] {
            let killed = ran(shop.command(&Move::migrate("start", CAUGHT_UP)).env("ATALAYA_FAILPOINT", place));
            assert_eq!(killed.signal, Some(9), "{place}: {killed:?}");
            assert_eq!((count(&shop, "item"), count(&shop, "plain")), (0, 9), "{place}");
            assert_eq!(files(&shop), [""; 0], "{place}");
        }
        shop.done("start", CAUGHT_UP);
        shop.assert_equal();
        assert!(streamed(&shop) > 0);
        shop.done("finish", &[]);
        shop.assert_equal();
    }
}

#[test]
fn a_transaction_that_is_open_from_the_copy_on_arrives_once_over_lost_connections_and_stops() {
    let shop = between(15, 18);
    shop.source.run_sql("shop", SCHEMA).unwrap();
    let mut running = shop.spawn_with("start", &[], &[("ATALAYA_FAILPOINT", "position-stored:1:stop")]);
    running.wait_for_halt();
    let open = open(&shop);
    let insert = |from: u32| {
        open.run(&format!(
            "INSERT INTO item SELECT i, repeat(md5(i::text), 8) FROM generate_series({from}, {from} + 9999) i"
        ))
        .unwrap();
    };
    insert(1);
    running.go_on();
    shop.wait_until_following(&mut running);
    insert(10_001);
    let before = streamed(&shop);
    // Its file is open, without a name, for nobody else to read.
    let folder = shop.state().canonicalize().unwrap();
    eventually("it is on disk", || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", running.pid())).unwrap().flatten();
        let mut ours = files.filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.starts_with(&folder)));
        ours.any(|file| {
            let to = std::fs::read_link(file.path()).unwrap();
            let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
            assert!(to.to_string_lossy().ends_with("(deleted)") && mode & 0o777 == 0o600, "{to:?} {mode:o}");
            true
        })
    });
    let cut = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND NOT temporary";
    shop.source.run_sql("shop", cut).unwrap();
    eventually("it is sent again", || streamed(&shop) > before);
    insert(20_001);
    shop.source.run_sql("shop", "UPDATE plain SET v = 'changed'").unwrap();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    assert_eq!(count(&shop, "item"), 0);
    shop.done("start", CAUGHT_UP);
    assert_eq!(count(&shop, "plain WHERE v = 'changed'"), 9);
    // A stop that comes while it is played ends the run after it.
    let mut running = shop.spawn_with("start", &[], &[("ATALAYA_FAILPOINT", "spill-read:2:stop")]);
    shop.wait_until_following(&mut running);
    insert(30_001);
    insert(40_001);
    open.run("COMMIT").unwrap();
    running.wait_for_halt();
    let stop = shop.spawn("stop", &[]);
    let asked = "SELECT count(*) FROM atalaya.control WHERE kind = 'stop' AND state = 'requested'";
    eventually("a stop is asked for", || shop.target.run_sql("shop", asked).unwrap() == "1");
    assert_eq!(count(&shop, "item"), 0);
    running.go_on();
    assert_eq!((stop.wait().code, running.wait().code), (Some(0), Some(0)));
    assert_eq!(count(&shop, "item"), 50_000);
    shop.done("finish", &[]);
    shop.assert_equal();
}
