//! A killed run's snapshot is held by its next run, or by nobody: an orphan would keep the source from cleaning up.

use crate::support::Move;

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY, what text);
    INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 1000) n;";
const HOLDERS: &str = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'atalaya snapshot%' ORDER BY 1";

/// Runs `start` until it is killed at a place; the backends that hold a snapshot then.
fn killed_at(shop: &Move, place: &str) -> Vec<String> {
    let mut command = shop.command(&Move::migrate("start", &["--stop-when", "caught-up"]));
    let ran = crate::support::ran(command.env("ATALAYA_FAILPOINT", place));
    assert_eq!(ran.code, None, "not killed at {place}: {}", ran.stderr);
    holders(shop)
}

fn holders(shop: &Move) -> Vec<String> {
    shop.source.run_sql("shop", HOLDERS).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_holder_of_a_run_that_was_killed_before_it_was_stored_is_ended_by_the_next() {
    for major in [13, 18] {
        let shop = Move::between(major, 18);
        shop.source.run_sql("shop", TABLE).unwrap();
        let orphan = killed_at(&shop, "slot-made");
        assert_eq!(orphan.len(), 1);
        // The next run makes slot and holder anew; its own holder is there, the orphan is not.
        let own = killed_at(&shop, "copy-begun");
        assert_eq!(own.len(), 1);
        assert_ne!(own, orphan);
        shop.done("start", &["--stop-when", "caught-up"]);
        assert_eq!(holders(&shop), Vec::<String>::new());
        shop.assert_equal();
    }
}

#[test]
fn a_holder_that_was_to_replace_a_dead_one_is_ended_too() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    let first = killed_at(&shop, "copy-begun");
    assert_eq!(first.len(), 1);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'atalaya snapshot%'";
    shop.source.run_sql("shop", end).unwrap();
    crate::support::eventually("the holder is gone", || holders(&shop).is_empty());
    let orphan = killed_at(&shop, "snapshot-made");
    assert_eq!(orphan.len(), 1);
    let own = killed_at(&shop, "copy-begun");
    assert_eq!(own.len(), 1);
    assert_ne!(own, orphan);
    shop.done("start", &["--stop-when", "caught-up"]);
    assert_eq!(holders(&shop), Vec::<String>::new());
    shop.assert_equal();
}
