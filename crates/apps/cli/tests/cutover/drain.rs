//! Transactions that run when clients are to be held: waited for, never cut.

use std::io::Write;

use atalaya_sandbox::Server;

use super::front::Front;
use super::heard::{SHORT_PAUSE, finished};
use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TABLE ledger.copied (id int PRIMARY KEY, said text); GRANT ALL ON ledger.copied TO clerk";
const COPY_IN: &str = "COPY ledger.copied FROM STDIN";
/// More than all buffers on the way hold: it goes on until somebody reads it.
const ROWS: usize = 6_000;
const COPY_OUT: &str = "COPY (SELECT n, repeat('x', 10000) FROM generate_series(1, 6000) n) TO STDOUT";

#[test]
fn whatever_runs_is_waited_for_and_what_does_not_end_keeps_clients_where_they_are() {
    let front = Front::before(Move::between(13, 18), &[], TABLES);
    let run = front.start_clients("shop");
    front.until_committed(&run, 20);
    a_transaction_that_is_left_idle(&front, "cutover", "shop", "13.");
    one_that_has_written(&front);
    copies_that_go_on(&front);
    copies_that_end_while_others_are_held(&front);
    front.until_committed(&run, 20);
    assert!(!front.is_let_in("clerk", &front.shop.source) && front.is_let_in("clerk", &front.shop.target));
    a_transaction_that_is_left_idle(&front, "rollback", "shop-green", "18.");
    front.led(&["migrate", "rollback", "shop-to-18"]);
    front.until_committed(&run, 20);
    assert!(front.is_let_in("clerk", &front.shop.source) && !front.is_let_in("clerk", &front.shop.target));

    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.reconcile(&record, &front.shop.source, "shop");
    front.assert_equal();
    front.reconcile(&record, &front.shop.target, "shop");
}

/// Nothing shows that it will ever end.
fn a_transaction_that_is_left_idle(front: &Front, verb: &str, place: &str, version: &str) {
    let client = front.client("shop");
    front.batch(&client, "BEGIN");
    let before = front.asked(&client, "SELECT current_setting('server_version')");
    eventually("it is named", || front.found_by(verb, "long-transactions").contains("has had a transaction open"));
    let closed = front.lead(verb, &["--max-pause", SHORT_PAUSE]);
    front.assert_broken_off(&closed, 1, &["1 transactions still ran", "nothing was cut"], place);
    assert!(front.version("shop").starts_with(version) && before.starts_with(version));
    // It is the very same transaction still.
    assert_eq!(front.asked(&client, "SELECT (now() < clock_timestamp())::text"), "true");
    front.batch(&client, "COMMIT");
}

/// Whoever makes a snapshot of the server's log waits for it, before clients are held.
fn one_that_has_written(front: &Front) {
    let client = front.client("shop");
    front.batch(&client, "BEGIN; INSERT INTO ledger.copied VALUES (-1, 'open')");
    let closed = front.lead("cutover", &["--slot-timeout", "2"]);
    let says = ["its server waits for open transactions", "--slot-timeout"];
    front.assert_broken_off(&closed, 1, &says, "shop");
    front.batch(&client, "COMMIT");
}

fn copies(front: &Front, first_id: usize) -> [std::process::Child; 2] {
    let mut copying_in = front.psql(COPY_IN);
    copying_in.stdin.as_mut().unwrap().write_all(format!("{first_id}\tfirst\n").as_bytes()).unwrap();
    let copying_out = front.psql(COPY_OUT);
    eventually("both copies", || front.running(server(front), "COPY") == "2");
    [copying_in, copying_out]
}

fn server(front: &Front) -> &Server {
    &front.shop.source
}

fn copies_that_go_on(front: &Front) {
    let [copying_in, copying_out] = copies(front, 1);
    let closed = front.lead("cutover", &["--max-pause", SHORT_PAUSE]);
    front.assert_broken_off(&closed, 1, &["2 transactions still ran", "nothing was cut"], "shop");
    assert_eq!(finished(copying_in, "2\tsecond\n").trim(), "COPY 2");
    assert_eq!(finished(copying_out, "").lines().count(), ROWS);
}

fn copies_that_end_while_others_are_held(front: &Front) {
    let [copying_in, copying_out] = copies(front, 3);
    std::thread::scope(|scope| {
        let leading = scope.spawn(|| front.led(&["migrate", "cutover", "shop-to-18"]));
        let gate = || front.gateway_status()["databases"][0]["gate"].clone();
        eventually("clients are held", || !gate()["held"].is_null() && gate()["waiting"].as_u64() > Some(0));
        assert_eq!(finished(copying_in, "4\tfourth\n").trim(), "COPY 2");
        assert_eq!(finished(copying_out, "").lines().count(), ROWS);
        let led = leading.join().unwrap();
        assert_eq!(led["outcome"], "flipped");
        let [held, waited] = ["clients_held", "longest_wait_us"].map(|member| led["gateways"][0][member].as_u64());
        assert!(held > Some(0) && waited > Some(0), "who waits was held, and for a while: {led}");
    });
    let there = "SELECT string_agg(id::text, ',' ORDER BY id) FROM ledger.copied";
    assert_eq!(front.shop.target.run_sql("shop", there).unwrap(), "-1,1,2,3,4");
}
