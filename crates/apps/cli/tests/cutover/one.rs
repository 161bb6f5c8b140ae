//! Clients of a ledger through a gateway, led from 13 to 18 and back while they work, as an operator does it.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;

use super::front::{Front, PASSWORD};
use crate::support::{Move, eventually, ran};

#[test]
fn a_ledger_is_led_to_the_new_server_and_back_and_no_transaction_fails() {
    let front = Front::between(13, 18);
    let looked = front.ask(&["migrate", "cutover", "shop-to-18", "--dry-run"]);
    assert_eq!(looked.code, Some(0), "{}\n{}", looked.stdout, looked.stderr);

    let run = front.start_clients("shop");
    front.until_committed(&run, 100);
    let rehearsed = front.led(&["migrate", "cutover", "shop-to-18", "--rehearse"]);
    assert_eq!(rehearsed["outcome"], "rehearsed");
    assert!(front.version("shop").starts_with("13."));
    assert_eq!(front.serving("shop"), "source", "a rehearsal leads nobody away");
    front.until_committed(&run, 100);
    let drawn = front.draw("shop");

    let led = front.led(&["migrate", "cutover", "shop-to-18"]);
    assert_eq!(led["outcome"], "flipped");
    assert!(front.version("shop").starts_with("18."));
    assert_eq!(front.serving("shop"), "target");
    assert!(front.draw("shop") > drawn, "a number is given out twice");
    front.until_committed(&run, 300);
    // Nobody gets in at the server that was left.
    let direct = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop", front.shop.source.port());
    let refused = front.runtime.block_on(Session::connect(&ConnectionUrl::parse(&direct).unwrap(), "stray"));
    assert_eq!(refused.err().unwrap().sqlstate(), Some("42501"));
    let again = front.ask(&["migrate", "cutover", "shop-to-18"]);
    assert_eq!(again.code, Some(4), "{}\n{}", again.stdout, again.stderr);

    let back = front.led(&["migrate", "rollback", "shop-to-18"]);
    assert_eq!(back["outcome"], "flipped");
    assert!(front.version("shop").starts_with("13."));
    front.until_committed(&run, 100);
    front.led(&["migrate", "cutover", "shop-to-18"]);
    front.until_committed(&run, 100);
    front.led(&["migrate", "rollback", "shop-to-18"]);
    front.until_committed(&run, 100);

    let record = front.runtime.block_on(run.stop());
    assert_eq!(record.counts.failed, 0, "{:?}", record.errors());
    assert_eq!(record.counts.unknown, 0, "{:?}", record.errors());
    assert!(record.errors().is_empty(), "{:?}", record.errors());
    front.reconcile(&record, &front.shop.source, "shop");
    eventually("both sides equal", || Move::digests(&front.shop.source) == Move::digests(&front.shop.target));
    front.reconcile(&record, &front.shop.target, "shop");
    let proof = front.ask(&["validate", "shop-to-18"]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    front.assert_certified(&led, &["forward", "back", "forward", "back"]);
}

/// Where the process that leads clients is killed, and whether they are led away by then.
const KILLED_AT: [(&str, bool); 6] = [
    ("cutover-opened", false),
    ("cutover-armed", false),
    ("cutover-fenced", false),
    ("cutover-flipping", false),
    ("cutover-flipped", true),
    ("cutover-admitted", true),
];

/// What brings it to its end.
const SETTLES: &str = "atalaya migrate cutover shop-to-18";

#[test]
fn one_that_is_killed_leaves_one_server_and_the_same_command_goes_on() {
    let front = Front::between(14, 17);
    // Whoever makes the way back does not know that keys are to be noted.
    let made = front.ask(&["migrate", "way-back", "make", "shop-to-18"]);
    assert_eq!(made.code, Some(0), "{}\n{}", made.stdout, made.stderr);
    let run = front.start_clients("shop");
    for (place, is_led) in KILLED_AT {
        front.until_committed(&run, 50);
        let words =
            ["--estate", front.estate().to_str().unwrap(), "migrate", "cutover", "shop-to-18", "--output", "json"]
                .map(str::to_owned);
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--max-pause", "5s"]).collect();
        let killed = ran(front.shop.command(&words).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {}\n{}", killed.stdout, killed.stderr);
        if is_led {
            front.assert_unsettled("shop", place, "the journal says that clients are led to `shop-green`", SETTLES);
        } else if place == "cutover-opened" {
            front.assert_unsettled("shop", place, "is not decided", SETTLES);
        }
        let again = ran(&mut front.shop.command(&words));
        if is_led {
            assert_eq!(again.code, Some(0), "{place}: {}\n{}", again.stdout, again.stderr);
            assert!(again.stdout.contains("\"resumed\":true"), "{place}: {}", again.stdout);
            assert!(front.version("shop").starts_with("17."), "{place}");
            front.until_committed(&run, 50);
            // What an earlier round has found equal there counts for nothing, since nothing was found by this one.
            let compared = "SELECT count(full_lsn), count(*) > 0 FROM atalaya.proof_tables";
            assert_eq!(front.shop.source.run_sql("shop", compared).unwrap().trim(), "0|t", "{place}");
            front.assert_noted_on_the_way_back();
            front.led(&["migrate", "rollback", "shop-to-18"]);
        } else {
            assert_eq!(again.code, Some(1), "{place}: {}\n{}", again.stdout, again.stderr);
            assert!(again.stderr.contains("it was interrupted"), "{place}: {}", again.stderr);
        }
        assert!(front.version("shop").starts_with("14."), "{place}");
    }
    front.until_committed(&run, 50);
    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.reconcile(&record, &front.shop.source, "shop");
    eventually("both sides equal", || Move::digests(&front.shop.source) == Move::digests(&front.shop.target));
}
