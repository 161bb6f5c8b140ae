//! What stops names the statement; what is followed is followed where it stands; what was rolled back is nothing.

use super::{TRIGGER, caught_up, done, refused, with_trigger};
use crate::held::Held;
use crate::support::{Move, Running, eventually};

const TABLES: &str = "
CREATE TABLE a (id int PRIMARY KEY, x int, v text); INSERT INTO a SELECT n, n, 'v' || n FROM generate_series(1, 20) n;
CREATE TABLE tree (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); INSERT INTO tree VALUES (1, '2020-02-02');
CREATE TABLE \"Odd \"\"nä'me\" (id int PRIMARY KEY); CREATE TYPE word AS ENUM ('a');
CREATE ROLE clerk; GRANT CREATE, USAGE ON SCHEMA public TO clerk;
CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.other (id int PRIMARY KEY)";

fn named_and_followed(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", TABLES).unwrap();
    shop.target.run_sql("shop", "CREATE ROLE clerk").unwrap();
    let only = [TRIGGER, &["--exclude", "elsewhere.*"]].concat();
    done(shop.run("start", &only));
    let start = || shop.run("start", &["--stop-when", "caught-up", "--exclude", "elsewhere.*"]);

    // Rows before and after in one transaction, in one of a partition tree, and none at all.
    shop.source
        .run_sql(
            "shop",
            "BEGIN; UPDATE a SET v = 'before' WHERE id = 1; ALTER TABLE a ADD y int DEFAULT 5;
             INSERT INTO a VALUES (50, 1, 'after', 6); ALTER TABLE a ALTER y SET DEFAULT 7; INSERT INTO a VALUES (51); COMMIT;
             ALTER TABLE tree ADD more int DEFAULT 9; ALTER TABLE \"Odd \"\"nä'me\" ADD quiet text DEFAULT 'hush'",
        )
        .unwrap();
    let said = done(start());
    assert!(!said.contains("hush"), "{said}");

    // Others' tables, and statements that change nothing that rows depend on.
    shop.source
        .run_sql(
            "shop",
            "ALTER TABLE elsewhere.other ADD x int; ALTER TABLE elsewhere.other DROP x; DROP TABLE elsewhere.other;
             CREATE TEMP TABLE a (z int); ALTER TABLE a ADD zz int; DROP TABLE pg_temp.a;
             ALTER TABLE a ADD CONSTRAINT fine CHECK (v <> 'secret')",
        )
        .unwrap();
    let said = done(start());
    assert!(
        said.contains("`ALTER TABLE a ADD CONSTRAINT fine CHECK (v <> ?)` of session user `postgres` at 2"),
        "{said}"
    );
    assert!(said.contains("changed no column of table public.a"), "{said}");
    assert!(!said.contains("secret") && !said.contains("other"), "{said}");
    shop.assert_equal();

    // Rolled back as a whole and in part.
    shop.source
        .run_sql(
            "shop",
            "BEGIN; ALTER TABLE a DROP v; ALTER TABLE tree RENAME TO gone; ROLLBACK;
             BEGIN; SAVEPOINT s; ALTER TABLE a DROP v, ALTER x TYPE int USING x * 2; ROLLBACK TO s; INSERT INTO a VALUES (60); COMMIT",
        )
        .unwrap();
    let said = done(start());
    assert!(!said.contains("ALTER TABLE"), "{said}");

    // A role without any right on what is ours; a statement within another; a column that goes with its type.
    let clerk = "SET SESSION AUTHORIZATION clerk; CREATE TABLE mine (id int PRIMARY KEY); ALTER TABLE mine ADD x int; DROP TABLE mine";
    shop.source.run_sql("shop", clerk).unwrap();
    for (change, because, statement, remedy) in [
        (
            "ALTER TABLE a DROP x",
            "column `x` was dropped",
            "`ALTER TABLE a DROP x` of session user `postgres`",
            "ALTER TABLE a DROP x",
        ),
        (
            "DO $$ BEGIN ALTER TABLE a RENAME v TO w; END $$; INSERT INTO a VALUES (70, 'a row')",
            "column `v` is called `w` now",
            "ALTER TABLE within `DO",
            "ALTER TABLE a RENAME v TO w",
        ),
        (
            "/* it's */ ALTER TABLE a DROP y",
            "column `y` was dropped",
            "(by ALTER TABLE of session user `postgres`",
            "ALTER TABLE a DROP y",
        ),
        (
            "ALTER TABLE tree RENAME more TO \"it's\"",
            "column `more` is called `it's` now",
            "`ALTER TABLE tree RENAME more TO \"it's\"`",
            "ALTER TABLE tree RENAME more TO \"it's\"",
        ),
    ] {
        shop.source.run_sql("shop", change).unwrap();
        let before = Move::digests(&shop.target);
        refused(start(), &["table-redefined", because, statement]);
        refused(start(), &["table-redefined", because, statement]);
        assert_eq!(before, Move::digests(&shop.target));
        shop.target.run_sql("shop", remedy).unwrap();
        done(start());
        shop.assert_equal();
    }
    shop.source.run_sql("shop", "ALTER SCHEMA public RENAME TO shown").unwrap();
    refused(start(), &["it is called shown.", "`ALTER SCHEMA public RENAME TO shown`"]);
    shop.source.run_sql("shop", "ALTER SCHEMA shown RENAME TO public").unwrap();
    done(start());
}

#[test]
fn from_14_to_18_statements_are_named_and_followed_where_they_stand() {
    named_and_followed(14, 18);
}

#[test]
fn from_18_to_18_statements_are_named_and_followed_where_they_stand() {
    named_and_followed(18, 18);
}

#[test]
fn a_column_that_goes_with_its_type_is_named() {
    let shop = Move::between(16, 17);
    shop.source.run_sql("shop", "CREATE TYPE word AS ENUM ('a'); CREATE TABLE a (id int PRIMARY KEY, w word)").unwrap();
    done(with_trigger(&shop));
    shop.source.run_sql("shop", "DROP TYPE word CASCADE").unwrap();
    refused(caught_up(&shop), &["column `w` was dropped", "`DROP TYPE word CASCADE`"]);
}

#[test]
fn a_part_that_was_rolled_back_in_a_transaction_sent_while_it_was_open_is_nothing() {
    let shop = Move::between(17, 18);
    shop.source.configure("logical_decoding_work_mem", "64kB").unwrap();
    shop.source.reload();
    shop.source
        .run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'one')")
        .unwrap();
    let mut running = shop.follow(&["--ddl-trigger"]);
    let many = "INSERT INTO public.a SELECT n, repeat('x', 200) FROM generate_series";
    let writer = Held::open(&shop.source_url, &format!("BEGIN; {many}(100, 2000) n; SAVEPOINT s"));
    writer
        .run(&format!(
            "ALTER TABLE public.a ALTER v TYPE text USING v || '!', ADD x int DEFAULT 1; {many}(3000, 9000) n"
        ))
        .unwrap();
    // The source has sent all of it, and does not know yet that it is to be rolled back.
    let position = shop.source.run_sql("shop", "SELECT pg_current_wal_insert_lsn()").unwrap();
    let sent = format!("SELECT bool_and(sent_lsn >= '{position}') FROM pg_stat_replication");
    eventually("it is sent", || {
        shop.source.run_sql("shop", "SELECT pg_switch_wal()").unwrap();
        shop.source.run_sql("shop", &sent).unwrap() == "t"
    });
    writer
        .run(&format!("ROLLBACK TO s; {many}(10000, 12000) n; COMMIT; ALTER TABLE public.a ADD y int DEFAULT 1"))
        .unwrap();
    eventually("the column has come", || {
        running.assert_alive();
        let column = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'y'";
        shop.target.run_sql("shop", column).unwrap() == "1"
    });
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
}

#[test]
fn ten_thousand_statements_are_told_within_a_bound_and_the_rows_between_them_arrive() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY)").unwrap();
    done(with_trigger(&shop));
    shop.source
        .run_sql(
            "shop",
            "DO $$ BEGIN FOR n IN 1 .. 10000 LOOP
                 EXECUTE format('ALTER TABLE a SET (fillfactor = %s)', 50 + n % 50);
                 IF n % 1000 = 0 THEN INSERT INTO a VALUES (n); END IF;
             END LOOP; END $$",
        )
        .unwrap();
    let said = done(caught_up(&shop));
    assert_eq!(said.matches("changed no column of table public.a").count(), 100, "{said}");
    assert!(said.contains("further ones are not told"), "{said}");
    shop.assert_equal();
}

#[test]
fn a_run_that_follows_stops_at_the_statement_and_leaves_what_was_committed_before() {
    let shop = Move::between(18, 18);
    shop.source
        .run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY)")
        .unwrap();
    let running = shop.follow(&["--ddl-trigger"]);
    shop.source
        .run_sql("shop", "INSERT INTO b VALUES (1); ALTER TABLE a ALTER v TYPE bigint; INSERT INTO b VALUES (2)")
        .unwrap();
    let ran = running.wait();
    refused(ran, &["its rows were rewritten with other values", "(by `ALTER TABLE a ALTER v TYPE bigint`"]);
    let rows = "SELECT count(*) FROM b WHERE id = 2";
    eventually("nothing after it", || shop.target.run_sql("shop", rows).unwrap() == "0");
}

/// A run that follows, and a change whose commit it has been sent while nobody sees it; then it is seen.
fn sent_before_it_is_seen(shop: &Move, more: &[&str], change: &str, meanwhile: impl FnOnce()) -> Running {
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 1); CREATE TABLE b (id int PRIMARY KEY);
             ALTER DATABASE shop SET synchronous_commit = local",
        )
        .unwrap();
    let mut running = shop.follow(more);
    let source = &shop.source;
    // A standby that is not there: a commit that waits for it is in the log, and in nobody's snapshot.
    let wait_for = |standby: &str| {
        source.configure("synchronous_standby_names", standby).unwrap();
        source.reload();
        eventually("reloaded", || source.run_sql("shop", "SHOW synchronous_standby_names").unwrap() == standby);
    };
    wait_for("nowhere");
    let writer = Held::open(&shop.source_url, "SET synchronous_commit = on");
    std::thread::scope(|threads| {
        threads.spawn(move || writer.run(change).unwrap());
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'somebody else'";
        eventually("the commit waits", || source.run_sql("shop", waits).unwrap() == "1");
        source.run_sql("shop", "INSERT INTO b VALUES (1)").unwrap();
        let sent = "SELECT bool_and(sent_lsn >= pg_current_wal_insert_lsn()) FROM pg_stat_replication";
        eventually("it is sent", || source.run_sql("shop", sent).unwrap() == "t");
        running.assert_alive();
        meanwhile();
        wait_for("");
    });
    running
}

#[test]
fn a_statement_that_nobody_sees_yet_is_waited_for() {
    let shop = Move::between(18, 18);
    let nothing_after_it = || assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM b").unwrap(), "0");
    let rewrite = "ALTER TABLE public.a ALTER v TYPE int USING v + 1";
    let running = sent_before_it_is_seen(&shop, &["--ddl-trigger"], rewrite, nothing_after_it);
    refused(running.wait(), &["its rows were rewritten with other values"]);
}

#[test]
fn a_column_with_a_row_that_nobody_sees_yet_is_followed_without_a_trigger_too() {
    let shop = Move::between(16, 18);
    let change = "BEGIN; ALTER TABLE public.a ADD w int DEFAULT 5; INSERT INTO public.a VALUES (2, 2, 2); COMMIT";
    let mut running = sent_before_it_is_seen(&shop, &[], change, || {});
    eventually("the row has come", || {
        running.assert_alive();
        shop.target.run_sql("shop", "SELECT count(*) FROM a").unwrap() == "2"
    });
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
}

#[test]
fn names_in_another_encoding_are_told_as_they_are() {
    let mut shop = Move::between(14, 18);
    for (name, encoding, there) in [("latin", "LATIN1", "UTF8"), ("unknown", "SQL_ASCII", "SQL_ASCII")] {
        let options = |encoding: &str| format!("TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        shop.source.create_database_with(name, &options(encoding)).unwrap();
        shop.target.create_database_with(name, &options(there)).unwrap();
        (shop.source_url, shop.target_url) = (shop.source.url(name), shop.target.url(name));
        let write = |sql: &str| shop.source.run_sql(name, &format!("SET client_encoding = 'UTF8'; {sql}")).unwrap();
        write("CREATE TABLE \"Größe\" (id int PRIMARY KEY, ÿ int)");
        done(with_trigger(&shop));
        write("ALTER TABLE \"Größe\" DROP ÿ");
        refused(caught_up(&shop), &["column `ÿ` was dropped", "`ALTER TABLE \"Größe\" DROP ÿ` of session user"]);
    }
}
