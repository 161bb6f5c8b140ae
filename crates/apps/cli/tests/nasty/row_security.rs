//! Row security on both sides, for owners that it does not bind, owners that it does, and roles that are above it: all rows
//! or a refusal, never a part of them.

use super::{caught_up, refused};
use crate::managed::act_as_managed_role;
use crate::support::Move;

/// Policies that would hide most rows and refuse all new ones, on plain tables and a tree whose parts have their own.
const TABLES: &str = "
CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON t USING (id < 10) WITH CHECK (false);
CREATE TABLE tree (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (50);
CREATE TABLE tree_2 PARTITION OF tree DEFAULT; ALTER TABLE tree ENABLE ROW LEVEL SECURITY; ALTER TABLE tree_2 ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON tree_2 AS RESTRICTIVE USING (false); CREATE POLICY reading ON tree FOR SELECT USING (v <> 'v');
CREATE TABLE plain (id int PRIMARY KEY, v text); CREATE POLICY asleep ON plain USING (false);";

const ROWS: &str = "INSERT INTO t SELECT n, 'v' FROM generate_series(1, 99) n; INSERT INTO tree SELECT n, 'v' FROM generate_series(1, 99) n;
INSERT INTO plain SELECT n, 'v' FROM generate_series(1, 99) n;";

const CHANGES: &str = "UPDATE t SET v = 'c' WHERE id % 3 = 0; INSERT INTO t VALUES (500, 'n'); DELETE FROM t WHERE id = 5;
UPDATE tree SET id = id + 100 WHERE id < 5; UPDATE tree SET v = 'c' WHERE id % 7 = 0; DELETE FROM tree WHERE id = 60; UPDATE plain SET v = 'c'";

/// Tables' row security and their policies.
const SECURITY: &str = "SELECT c.relname, relrowsecurity, relforcerowsecurity, (SELECT string_agg(p::text, ' ' ORDER BY policyname)
      FROM pg_policies p WHERE p.tablename = c.relname) FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1";

fn managed(from: u16, to: u16, more: &str) -> Move {
    let mut shop = Move::between(from, to);
    shop.source.run_sql("shop", &format!("{TABLES}{ROWS}{more}")).unwrap();
    act_as_managed_role(&mut shop);
    shop
}

fn for_the_managed_role(shop: &Move, sql: &str) {
    for server in [&shop.source, &shop.target] {
        server.run_sql("shop", sql).unwrap();
    }
}

fn assert_secured_alike(shop: &Move) {
    assert_eq!(shop.source.run_sql("shop", SECURITY).unwrap(), shop.target.run_sql("shop", SECURITY).unwrap());
}

fn an_owner_moves_every_row(from: u16, to: u16) {
    let shop = managed(from, to, "");
    let running = shop.follow(&[]);
    shop.source.run_sql("shop", CHANGES).unwrap();
    let valid = shop.validate(&[]);
    assert_eq!(valid.code, Some(0), "{}\n{}", valid.stdout, valid.stderr);
    shop.done("finish", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
    assert_secured_alike(&shop);
    assert!(shop.target.run_sql("shop", SECURITY).unwrap().starts_with("plain|f|f|"));
}

#[test]
fn from_13_to_18_an_owner_that_policies_do_not_bind_moves_every_row() {
    an_owner_moves_every_row(13, 18);
}

#[test]
fn from_18_to_18_an_owner_that_policies_do_not_bind_moves_every_row() {
    an_owner_moves_every_row(18, 18);
}

#[test]
fn forced_on_its_owner_it_is_refused_and_a_role_above_it_moves_every_row_and_the_force() {
    for (from, to) in [(13, 15), (15, 18)] {
        let shop =
            managed(from, to, "ALTER TABLE t FORCE ROW LEVEL SECURITY; ALTER TABLE tree_2 FORCE ROW LEVEL SECURITY");
        let ran = caught_up(&shop, &[]);
        refused(&ran, "public.t: policies apply to role `administrator` on the source");
        shop.source.run_sql("shop", "ALTER ROLE administrator BYPASSRLS").unwrap();
        refused(&caught_up(&shop, &[]), "public.t: policies apply to role `administrator` on the target");
        assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap(), "0");
        shop.target.run_sql("shop", "ALTER ROLE administrator BYPASSRLS").unwrap();
        assert_eq!(caught_up(&shop, &[]).code, Some(0));
        shop.source.run_sql("shop", CHANGES).unwrap();
        shop.done("finish", &[]);
        shop.assert_equal();
        assert_secured_alike(&shop);
    }
}

#[test]
fn on_an_existing_target_it_is_refused_where_it_binds_and_stays_what_it_was_where_not() {
    for (from, to) in [(13, 14), (15, 18)] {
        let mut shop = Move::between(from, to);
        let bare = TABLES.replace("ALTER TABLE t ENABLE ROW LEVEL SECURITY;", "");
        shop.source.run_sql("shop", &format!("{bare}{ROWS}")).unwrap();
        shop.target.run_sql("shop", &format!("{TABLES} ALTER TABLE t FORCE ROW LEVEL SECURITY")).unwrap();
        act_as_managed_role(&mut shop);
        let existing = ["--existing-schema"];
        refused(&caught_up(&shop, &existing), "public.t: policies apply to role `administrator` on the target");
        assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap(), "0");
        // Above it, or no more bound by it.
        match to {
            14 => for_the_managed_role(&shop, "ALTER ROLE administrator BYPASSRLS"),
            _ => drop(shop.target.run_sql("shop", "ALTER TABLE t NO FORCE ROW LEVEL SECURITY").unwrap()),
        }
        let before = shop.target.run_sql("shop", SECURITY).unwrap();
        assert_eq!(caught_up(&shop, &existing).code, Some(0));
        shop.source.run_sql("shop", CHANGES).unwrap();
        shop.done("finish", &existing);
        shop.assert_equal();
        assert_eq!(shop.target.run_sql("shop", SECURITY).unwrap(), before);
    }
}

#[test]
fn forced_while_the_move_runs_it_stops_what_reads_and_writes_and_loses_no_row() {
    let shop = managed(15, 18, "");
    assert_eq!(caught_up(&shop, &[]).code, Some(0));
    let told = "row-level security policy";
    shop.source.run_sql("shop", &format!("ALTER TABLE t FORCE ROW LEVEL SECURITY; {CHANGES}")).unwrap();
    // The stream is above policies; a proof that may not read every row is none.
    let running = shop.follow(&[]);
    let ran = shop.validate(&[]);
    assert!(ran.code != Some(0) && ran.stdout.contains(told), "{:?} {}\n{}", ran.code, ran.stdout, ran.stderr);
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    let ran = shop.run("finish", &[]);
    assert!(ran.code != Some(0) && ran.stdout.contains(told), "{:?} {}\n{}", ran.code, ran.stdout, ran.stderr);
    shop.source.run_sql("shop", "ALTER TABLE t NO FORCE ROW LEVEL SECURITY").unwrap();
    let force =
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY theirs ON t USING (id < 50)";
    shop.target.run_sql("shop", force).unwrap();
    shop.source
        .run_sql("shop", "INSERT INTO t VALUES (600, 'n'), (7, 'again') ON CONFLICT (id) DO UPDATE SET v = 'again'")
        .unwrap();
    let ran = caught_up(&shop, &[]);
    assert!(ran.code != Some(0) && ran.stderr.contains(told), "{:?} {}", ran.code, ran.stderr);
    shop.target
        .run_sql(
            "shop",
            "ALTER TABLE t DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY; DROP POLICY theirs ON t",
        )
        .unwrap();
    shop.done("finish", &[]);
    shop.assert_equal();
    assert_secured_alike(&shop);
}
