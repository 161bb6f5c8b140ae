//! Clients are on the new server: nothing takes it for a copy any more.

use super::field::{START, done, lead_over, way_back, with_way_back};

const DRAWN: &str = "SELECT last_value FROM serial_id_seq";

#[test]
fn the_way_back_stays_and_numbers_are_drawn_once_whatever_becomes_of_it() {
    let (shop, mut running) = with_way_back(15, 17);
    lead_over(&shop);
    shop.target.run_sql("shop", "SELECT setval('serial_id_seq', 7000)").unwrap();
    let refused = way_back(&shop, "remove");
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("clients are on the new server"), "{}", refused.stderr);
    assert_eq!(done(&shop, "status")["serving"], "target");

    // Gone all the same: a run that ends follows sequences a last time.
    running.assert_alive();
    let gone = "UPDATE atalaya.migration SET options = options - 'way_back'";
    shop.target.run_sql("shop", gone).unwrap();
    assert_eq!(done(&shop, "status")["serving"], "target");
    shop.done("stop", &[]);
    assert_eq!(shop.target.run_sql("shop", DRAWN).unwrap().trim(), "7000");
    let made = way_back(&shop, "make");
    assert_eq!(made.code, Some(4), "{}\n{}", made.stdout, made.stderr);

    // Nor does another run.
    let again = shop.run("start", &[START, &["--stop-when", "caught-up"]].concat());
    assert_eq!(again.code, Some(0), "{}\n{}", again.stdout, again.stderr);
    assert_eq!(shop.target.run_sql("shop", DRAWN).unwrap().trim(), "7000");
}

#[test]
fn a_move_that_is_given_up_leaves_clients_their_tables() {
    let (shop, running) = with_way_back(14, 16);
    lead_over(&shop);
    shop.target.run_sql("shop", "SELECT setval('serial_id_seq', 7000); INSERT INTO whole VALUES (77, 'new')").unwrap();
    drop(running);
    for words in [["--drop-target"].as_slice(), &["--drop-target", "--dry-run"]] {
        let refused = shop.run("abort", words);
        assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("they are served from the tables"), "{}", refused.stderr);
    }
    assert_eq!(done(&shop, "status")["possible"], true);

    let aborted = shop.run("abort", &[]);
    assert_eq!(aborted.code, Some(0), "{}\n{}", aborted.stdout, aborted.stderr);
    assert!(aborted.stdout.contains("clients stay on the new server"), "{}", aborted.stdout);
    let left =
        "SELECT last_value, (SELECT count(*) FROM whole WHERE id = 77), (SELECT count(*) FROM pg_replication_slots)
                  FROM serial_id_seq";
    assert_eq!(shop.target.run_sql("shop", left).unwrap().trim(), "7000|1|0");
}
