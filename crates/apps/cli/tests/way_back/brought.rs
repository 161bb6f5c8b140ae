//! Every kind of change, both ways, on old and new servers.

use super::field::{applied, assert_comes_equal, assert_rests, done, let_both_read, with_way_back, writes};
use crate::support::{Move, Running, eventually, ran};

fn changes(of: &str) -> u64 {
    of.split(' ').next().unwrap().parse().unwrap()
}

fn assert_everything_is_brought(shop: &Move, running: &mut Running) {
    assert_comes_equal(shop, running);
    assert_rests(shop);
    assert_eq!(changes(&applied(&shop.source)), 0, "what the forward run wrote has come back");

    // Clients on the new server.
    let forward = changes(&applied(&shop.target));
    let audited = shop.source.run_sql("shop", "SELECT count(*) FROM audit").unwrap();
    for round in 1..=3 {
        shop.target.run_sql("shop", &writes(round)).unwrap();
    }
    assert_comes_equal(shop, running);
    assert_rests(shop);
    assert!(changes(&applied(&shop.source)) > 0);
    assert_eq!(changes(&applied(&shop.target)), forward, "what came back has gone round");
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM audit").unwrap(), audited, "a trigger has fired");

    // And on the old one again.
    let back = changes(&applied(&shop.source));
    shop.source.run_sql("shop", &writes(4)).unwrap();
    assert_comes_equal(shop, running);
    assert_rests(shop);
    assert_eq!(changes(&applied(&shop.source)), back);
    assert!(changes(&applied(&shop.target)) > forward);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
}

#[test]
fn everything_comes_back_from_18_to_13_and_nothing_goes_round() {
    let (shop, mut running) = with_way_back(13, 18);
    assert_everything_is_brought(&shop, &mut running);

    // Removed, it leaves nothing of it on either side, and the move goes on.
    done(&shop, "remove");
    let left =
        "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'), (SELECT count(*) FROM pg_publication),
                       (SELECT count(*) FROM pg_replication_slots)";
    assert_eq!(shop.source.run_sql("shop", left).unwrap().trim(), "0|2|1");
    assert_eq!(shop.target.run_sql("shop", left).unwrap().trim(), "1|0|0");
    shop.source.run_sql("shop", &writes(5)).unwrap();
    assert_comes_equal(&shop, &mut running);
    assert_eq!(done(&shop, "status")["state"], "missing");

    // Made once more, and taken along by what ends the move.
    assert_eq!(done(&shop, "make")["possible"], true);
    drop(running);
    let aborted = shop.run("abort", &[]);
    assert_eq!(aborted.code, Some(0), "{}", aborted.stderr);
    for server in [&shop.source, &shop.target] {
        assert_eq!(server.run_sql("shop", left).unwrap().trim(), "0|0|0");
    }
}

#[test]
fn everything_comes_back_from_16_to_15_and_finish_takes_both_directions_away() {
    let (shop, mut running) = with_way_back(15, 16);
    assert_everything_is_brought(&shop, &mut running);
    // Proven in the way back's own direction, at a fence that its own run holds.
    let mut command = shop.command(&Move::proof(&[]));
    command.env("SOURCE_URL", &shop.target_url).env("TARGET_URL", &shop.source_url);
    let proof = ran(&mut command);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    shop.done("finish", super::field::START);
    let left =
        "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'), (SELECT count(*) FROM pg_publication),
                       (SELECT count(*) FROM pg_replication_slots)";
    for server in [&shop.source, &shop.target] {
        assert_eq!(server.run_sql("shop", left).unwrap().trim(), "0|0|0");
    }
    shop.assert_equal();
}

#[test]
fn large_transactions_that_are_sent_in_parts_are_dropped_whole_too() {
    let shop = Move::with(
        atalaya_sandbox::ServerOptions::new(16).setting("logical_decoding_work_mem", "64kB"),
        atalaya_sandbox::ServerOptions::new(17).setting("logical_decoding_work_mem", "64kB"),
    );
    shop.source.run_sql("shop", "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'a')").unwrap();
    let mut running = shop.follow(&[]);
    done(&shop, "make");
    super::field::wait_until_both_run(&shop, &mut running);
    let rows = "INSERT INTO t SELECT i, md5(i::text) FROM generate_series";
    shop.source.run_sql("shop", &format!("{rows}(1, 30000) i")).unwrap();
    assert_comes_equal(&shop, &mut running);
    shop.target.run_sql("shop", &format!("{rows}(40000, 70000) i")).unwrap();
    assert_comes_equal(&shop, &mut running);
    assert_rests(&shop);
    assert_eq!(changes(&applied(&shop.target)), 30_000);
    assert_eq!(changes(&applied(&shop.source)), 30_001);
}

#[test]
fn sequences_are_left_to_whoever_leads_clients_over() {
    let (shop, mut running) = with_way_back(17, 18);
    shop.source.run_sql("shop", "SELECT setval('serial_id_seq', 5000)").unwrap();
    shop.target.run_sql("shop", "SELECT setval('serial_id_seq', 7000)").unwrap();
    shop.source.run_sql("shop", &writes(1)).unwrap();
    assert_comes_equal(&shop, &mut running);
    let_both_read(&shop);
    let sql = "SELECT last_value FROM serial_id_seq";
    assert_eq!(shop.source.run_sql("shop", sql).unwrap().trim(), "5000");
    assert_eq!(shop.target.run_sql("shop", sql).unwrap().trim(), "7000");
    eventually("still both", || done(&shop, "status")["running"] == true);
}
