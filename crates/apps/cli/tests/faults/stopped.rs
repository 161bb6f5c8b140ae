//! Servers that are shut down in good order under a run: it waits for them, within its limit.

use atalaya_sandbox::{Server, StopMode};

use super::connecting::assert_failed;
use crate::support::{Move, eventually};

const TABLE: &str =
    "CREATE TABLE item (id int PRIMARY KEY, v int); INSERT INTO item SELECT i, 0 FROM generate_series(1, 1000) i";

/// A run that follows; `retries` bounds its patience.
fn following(retries: &str) -> (Move, crate::support::Running) {
    let shop = Move::between(14, 17);
    shop.source.run_sql("shop", TABLE).unwrap();
    let run = shop.follow(&["--retries", retries]);
    (shop, run)
}

fn restarted_while_followed(server: fn(&mut Move) -> &mut Server) {
    let (mut shop, run) = following("8");
    server(&mut shop).stop(StopMode::Fast).unwrap();
    server(&mut shop).start_again().unwrap();
    shop.source.run_sql("shop", "UPDATE item SET v = 1; DELETE FROM item WHERE id > 900").unwrap();
    let rows = "SELECT count(*) FROM item WHERE v = 1";
    eventually("the change has come", || shop.target.run_sql("shop", rows).unwrap() == "900");
    shop.done("stop", &[]);
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("\"event\":\"reconnect\""), "{}", ran.stderr);
    shop.assert_equal();
}

#[test]
fn a_source_that_is_restarted_is_followed_again_by_the_same_run() {
    restarted_while_followed(|shop| &mut shop.source);
}

#[test]
fn a_target_that_is_restarted_is_written_to_again_by_the_same_run() {
    restarted_while_followed(|shop| &mut shop.target);
}

#[test]
fn a_server_that_does_not_come_back_ends_the_run_with_the_next_step() {
    for side in [(|shop| &mut shop.source) as fn(&mut Move) -> &mut Server, |shop| &mut shop.target] {
        let (mut shop, run) = following("1");
        let port = side(&mut shop).port();
        side(&mut shop).stop(StopMode::Fast).unwrap();
        assert_failed(&run.wait(), 1, &format!("127.0.0.1:{port}"), "the server runs");
        side(&mut shop).start_again().unwrap();
        shop.source.run_sql("shop", "UPDATE item SET v = 1").unwrap();
        shop.done("start", &["--stop-when", "caught-up"]);
        shop.assert_equal();
    }
}
