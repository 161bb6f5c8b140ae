//! Kills: of the run, and of whoever makes the way back.

use nix::sys::signal::Signal;

use super::field::{
    START, TABLES, assert_comes_equal, assert_rests, done, wait_until_both_run, with_way_back, words, writes,
};
use crate::support::{Move, ran, signal};

#[test]
fn a_run_that_is_killed_goes_on_both_ways() {
    let (shop, mut running) = with_way_back(14, 17);
    for round in 1..=4 {
        // One direction at a time, as when clients are led over and back.
        let server = if round % 2 == 0 { &shop.source } else { &shop.target };
        server.run_sql("shop", &writes(round)).unwrap();
        signal(running.pid(), Signal::SIGKILL);
        drop(running);
        server
            .run_sql("shop", &format!("UPDATE big SET n = n + {round}; INSERT INTO log VALUES ({round}, 'late')"))
            .unwrap();
        running = shop.follow(START);
        wait_until_both_run(&shop, &mut running);
        assert_comes_equal(&shop, &mut running);
    }
    assert_rests(&shop);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
}

/// Where making it may end, in order.
const PLACES: &[&str] = &[
    "way-back-noted",
    "way-back-marker-published",
    "way-back-tables-written",
    "way-back-published",
    "way-back-slot-made",
    "way-back-made",
];

#[test]
fn whoever_makes_it_may_be_killed_anywhere() {
    let shop = Move::between(15, 17);
    shop.source.run_sql("shop", TABLES).unwrap();
    let mut running = shop.follow(START);
    for (round, place) in (1..).zip(PLACES) {
        let killed = ran(shop.command(&words("make")).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.code, None, "{place}: not killed: {}\n{}", killed.stdout, killed.stderr);
        let state = done(&shop, "status")["state"].clone();
        assert_eq!(state, if *place == "way-back-made" { "made" } else { "partly" }, "{place}");
        // The move goes on meanwhile.
        shop.source.run_sql("shop", &writes(round)).unwrap();
        assert_comes_equal(&shop, &mut running);
    }
    assert_eq!(done(&shop, "make")["possible"], true);
    wait_until_both_run(&shop, &mut running);
    shop.target.run_sql("shop", &writes(9)).unwrap();
    assert_comes_equal(&shop, &mut running);
    let slots = "SELECT count(*) FROM pg_replication_slots";
    assert_eq!(shop.target.run_sql("shop", slots).unwrap().trim(), "1");
}
