//! What forbids a way back is named, and nothing is touched.

use std::process::{Command, Stdio};

use atalaya_sandbox::{ServerOptions, client_tools};

use super::field::{done, wait_until_both_run, way_back};
use crate::support::{Move, eventually};

fn assert_untouched(shop: &Move) {
    assert_eq!(shop.source.run_sql("shop", "SELECT to_regnamespace('atalaya') IS NULL").unwrap().trim(), "t");
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM pg_publication").unwrap().trim(), "0");
}

#[test]
fn what_would_act_on_rows_that_come_back_and_what_cannot_be_published_is_named() {
    let shop = Move::between(17, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE f (id int PRIMARY KEY, n int);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             CREATE TRIGGER always BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
             ALTER TABLE t ENABLE ALWAYS TRIGGER always",
        )
        .unwrap();
    let mut running = shop.follow(&[]);
    shop.target
        .run_sql("shop", "ALTER TABLE f ADD g int GENERATED ALWAYS AS (n) STORED; ALTER TABLE f REPLICA IDENTITY FULL")
        .unwrap();
    let refused = way_back(&shop, "make");
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    for named in
        ["trigger `always` of public.t (ENABLE ALWAYS)", "REPLICA IDENTITY FULL and a generated column", "public.f"]
    {
        assert!(refused.stderr.contains(named), "{named}: {}", refused.stderr);
    }
    let status = done(&shop, "status");
    assert_eq!((&status["state"], status["why_not"].as_array().unwrap().len()), (&"missing".into(), 2), "{status}");
    assert_untouched(&shop);
    running.assert_alive();
}

#[test]
fn a_new_server_that_writes_too_little_log_is_named() {
    let shop = Move::with(ServerOptions::new(15), ServerOptions::new(16).setting("wal_level", "replica"));
    shop.source.run_sql("shop", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let _running = shop.follow(&[]);
    let refused = way_back(&shop, "make");
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("wal_level of the new server is `replica`"), "{}", refused.stderr);
    assert_untouched(&shop);
}

#[test]
fn a_new_server_whose_slots_and_walsenders_are_all_taken_is_named() {
    let full = ServerOptions::new(18).setting("max_replication_slots", "1").setting("max_wal_senders", "1");
    let shop = Move::with(ServerOptions::new(13), full);
    shop.source.run_sql("shop", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let mut running = shop.follow(&[]);
    shop.target.run_sql("shop", "SELECT pg_create_physical_replication_slot('a_standbys')").unwrap();
    // As a standby's: it has logged in for replication, and stays.
    let mut standby = Command::new(client_tools(18).unwrap().join("psql"))
        .args(["-X", &format!("{}&replication=true", shop.target_url)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let senders = || shop.target.run_sql("shop", "SELECT count(*) FROM pg_stat_replication").unwrap();
    eventually("the walsender is taken", || senders() == "1");

    let refused = way_back(&shop, "make");
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    let named = [
        "the new server has no replication slot free: raise max_replication_slots",
        "the new server has no walsender free: raise max_wal_senders",
    ];
    assert!(named.iter().all(|named| refused.stderr.contains(named)), "{}", refused.stderr);
    assert_eq!(done(&shop, "status")["why_not"], serde_json::json!(named));
    assert_untouched(&shop);

    // One of them is not enough.
    shop.target.run_sql("shop", "SELECT pg_drop_replication_slot('a_standbys')").unwrap();
    let refused = way_back(&shop, "make");
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains(named[1]) && !refused.stderr.contains(named[0]), "{}", refused.stderr);
    assert_untouched(&shop);
    drop(standby.stdin.take());
    standby.wait().unwrap();
    eventually("the walsender is free", || senders() == "0");
    done(&shop, "make");
    wait_until_both_run(&shop, &mut running);
}

/// The new server would refuse clients' updates as soon as they are there.
#[test]
fn an_identity_that_changes_behind_the_making_ends_the_way_back_until_it_is_mended() {
    let shop = Move::between(17, 18);
    let table = "CREATE TABLE f (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n) STORED)";
    shop.source.run_sql("shop", table).unwrap();
    let _running = shop.follow(&[]);
    done(&shop, "make");
    assert_eq!(done(&shop, "status")["possible"], true);
    for (identity, why) in
        [("FULL", "REPLICA IDENTITY FULL and a generated column"), ("NOTHING", "it has no replica identity")]
    {
        shop.target.run_sql("shop", &format!("ALTER TABLE f REPLICA IDENTITY {identity}")).unwrap();
        let status = done(&shop, "status");
        assert_eq!((&status["state"], &status["possible"]), (&"made".into(), &false.into()), "{status}");
        let said = status["why_not"].to_string();
        assert!(said.contains(why) && said.contains("public.f"), "{said}");
    }
    shop.target.run_sql("shop", "ALTER TABLE f REPLICA IDENTITY DEFAULT").unwrap();
    let status = done(&shop, "status");
    assert_eq!((&status["possible"], &status["why_not"]), (&true.into(), &serde_json::json!([])), "{status}");
}
