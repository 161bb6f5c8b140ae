//! Triggers that are off while the move runs, where time passes: a move that an earlier version began, tables that are emptied
//! before their rows come, partitions that come meanwhile.

use super::caught_up;
use crate::support::{Move, eventually};

const EXISTING: [&str; 1] = ["--existing-schema"];

const NOTE: &str = "CREATE TABLE audit (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (TG_NAME); RETURN NULL; END $$;";

fn assert_caught_up(shop: &Move) {
    let ran = caught_up(shop, &EXISTING);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// What the target says, with nothing noted by any trigger.
fn triggers(shop: &Move) -> String {
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM audit").unwrap(), "0");
    let sql = "SELECT string_agg(format('%s %s', tgrelid::regclass, tgenabled), ', ' ORDER BY tgrelid::regclass::text)
                 FROM pg_trigger WHERE tgname = 'noted'";
    shop.target.run_sql("shop", sql).unwrap()
}

/// Of our schema it has what that version made.
#[test]
fn a_move_that_a_version_without_it_began_goes_on_and_ends() {
    let shop = Move::between(15, 18);
    let table = "CREATE TABLE t (id int PRIMARY KEY);";
    shop.source.run_sql("shop", &format!("{table} INSERT INTO t VALUES (1), (2)")).unwrap();
    shop.target.run_sql("shop", &format!("{table} {NOTE}")).unwrap();
    assert_caught_up(&shop);
    shop.target
        .run_sql(
            "shop",
            "DROP TABLE atalaya.silenced; CREATE TRIGGER noted AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
             ALTER TABLE t ENABLE ALWAYS TRIGGER noted",
        )
        .unwrap();
    let dry = shop.done("abort", &["--dry-run"]);
    assert!(!dry.contains("set back"), "{dry}");
    shop.source.run_sql("shop", "INSERT INTO t VALUES (3)").unwrap();
    assert_caught_up(&shop);
    assert_eq!(triggers(&shop), "t D");
    shop.done("finish", &EXISTING);
    assert_eq!(triggers(&shop), "t A");
}

/// One table for many is emptied before the first of them comes, also once more when the snapshot is lost.
#[test]
fn a_table_that_is_emptied_for_its_rows_wakes_no_trigger() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (50);
             CREATE TABLE t_2 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 99)",
        )
        .unwrap();
    shop.target.run_sql("shop", &format!("CREATE TABLE t (id int PRIMARY KEY); {NOTE}")).unwrap();
    let start: Vec<&str> = [&["--stop-when", "caught-up"], &EXISTING[..]].concat();
    let killed = shop.spawn_with("start", &start, &[("ATALAYA_FAILPOINT", "position-stored")]).wait();
    assert_eq!(killed.signal, Some(9), "{}", killed.stderr);
    let holders = "FROM pg_stat_activity WHERE application_name = 'atalaya snapshot shop'";
    shop.source.run_sql("shop", &format!("SELECT pg_terminate_backend(pid) {holders}")).unwrap();
    eventually("the snapshot's end", || {
        shop.source.run_sql("shop", &format!("SELECT count(*) {holders}")).unwrap() == "0"
    });
    let trigger =
        "CREATE TRIGGER noted BEFORE TRUNCATE ON t EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER noted";
    shop.target.run_sql("shop", trigger).unwrap();
    assert_caught_up(&shop);
    assert_eq!(triggers(&shop), "t D");
    // Copied again, with one that has come since.
    shop.target.run_sql("shop", &format!("DROP TRIGGER noted ON t; {trigger}")).unwrap();
    let again: Vec<&str> = [&["--table", "public.t", "--again"], &EXISTING[..]].concat();
    shop.done("add-table", &again);
    assert_caught_up(&shop);
    assert_eq!(triggers(&shop), "t D");
    shop.done("finish", &EXISTING);
    assert_eq!(triggers(&shop), "t A");
}

/// Postgres gives a new partition the trigger of its root as that is at the time: off.
#[test]
fn a_partition_that_comes_while_its_roots_trigger_is_off_gets_what_that_was() {
    let shop = Move::between(13, 14);
    shop.source.run_sql("shop", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (60)").unwrap();
    shop.target
        .run_sql(
            "shop",
            &format!(
                "{NOTE} CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id);
                 CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (50); CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (50) TO (99);
                 CREATE TABLE t_3 PARTITION OF t FOR VALUES FROM (99) TO (199);
                 CREATE TRIGGER noted AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
                 ALTER TABLE ONLY t ENABLE ALWAYS TRIGGER noted; ALTER TABLE ONLY t_1 DISABLE TRIGGER noted;
                 ALTER TABLE ONLY t_2 ENABLE REPLICA TRIGGER noted; ALTER TABLE ONLY t_3 ENABLE TRIGGER noted"
            ),
        )
        .unwrap();
    assert_eq!(triggers(&shop), "t A, t_1 D, t_2 R, t_3 O");
    assert_caught_up(&shop);
    shop.target
        .run_sql(
            "shop",
            "CREATE TABLE t_4 PARTITION OF t FOR VALUES FROM (199) TO (299) PARTITION BY RANGE (id);
             CREATE TABLE t_5 (id int NOT NULL PRIMARY KEY); ALTER TABLE t_4 ATTACH PARTITION t_5 DEFAULT;
             ALTER TABLE ONLY t_3 DISABLE TRIGGER noted",
        )
        .unwrap();
    assert_eq!(triggers(&shop), "t D, t_1 D, t_2 D, t_3 D, t_4 D, t_5 D");
    shop.source.run_sql("shop", "INSERT INTO t VALUES (2), (61), (200)").unwrap();
    assert_caught_up(&shop);
    let dry = shop.done("abort", &["--dry-run"]);
    let told = "would set back: trigger `noted` of public.t_5 (ENABLE ALWAYS), which came while that was off";
    assert!(dry.contains(told), "{dry}");
    shop.done("finish", &EXISTING);
    // What somebody has switched off meanwhile, where it was before, stays so.
    assert_eq!(triggers(&shop), "t A, t_1 D, t_2 R, t_3 D, t_4 A, t_5 A");
}
