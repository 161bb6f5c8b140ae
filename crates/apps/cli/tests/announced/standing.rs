//! The trigger itself: made and removed over kills, told when somebody has changed it, in nobody's way.

use super::{TRIGGER, assert_nothing_of_ours, caught_up, done, of_trigger, refused, slot, with_trigger};
use crate::held::Held;
use crate::support::{Move, eventually, ran};

const TABLE: &str = "CREATE TABLE a (id int PRIMARY KEY, x int, y int, z int); INSERT INTO a VALUES (1, 1, 1, 1)";

fn killed(shop: &Move, verb: &str, more: &[&str], place: &str) {
    let ran = ran(shop.command(&Move::migrate(verb, more)).env("ATALAYA_FAILPOINT", place));
    assert_eq!(ran.signal, Some(9), "{place}: {:?} {}", ran.code, ran.stderr);
}

#[test]
fn a_kill_while_it_is_made_or_removed_leaves_what_the_same_command_ends() {
    let shop = Move::between(16, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    killed(&shop, "start", TRIGGER, "trigger-noted");
    assert_eq!(of_trigger(&shop.source), "0|0|0");
    for place in ["trigger-made", "slot-made", "position-stored", "trigger-made"] {
        killed(&shop, "start", TRIGGER, place);
        assert_eq!(of_trigger(&shop.source), "3|1|1", "{place}");
    }
    done(with_trigger(&shop));
    // A later run keeps it, asked for or not.
    shop.source.run_sql("shop", "ALTER TABLE a ADD w int DEFAULT 1").unwrap();
    assert!(!done(caught_up(&shop)).contains("event trigger"));
    done(with_trigger(&shop));
    assert_eq!(of_trigger(&shop.source), "3|1|1");
    for place in ["finish-stored", "trigger-dropped", "trigger-removed", "source-cleaned"] {
        killed(&shop, "finish", &[], place);
    }
    shop.done("finish", &[]);
    shop.assert_equal();
    assert_nothing_of_ours(&shop.source);
}

#[test]
fn an_abort_removes_it_also_after_kills_and_where_the_target_is_gone() {
    let shop = Move::between(14, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    killed(&shop, "start", TRIGGER, "trigger-made");
    // Nothing but the trigger stands on the source, and nobody knows of it any more.
    shop.target.run_sql("shop", "DROP SCHEMA atalaya CASCADE").unwrap();
    assert_eq!(of_trigger(&shop.source), "3|1|1");
    shop.done("abort", &["--target-gone"]);
    assert_nothing_of_ours(&shop.source);

    done(with_trigger(&shop));
    killed(&shop, "abort", &[], "trigger-dropped");
    assert_eq!(of_trigger(&shop.source), "0|1|1");
    killed(&shop, "abort", &[], "trigger-removed");
    assert_eq!(of_trigger(&shop.source), "0|0|0");
    shop.done("abort", &["--drop-target"]);
    assert_nothing_of_ours(&shop.source);

    done(with_trigger(&shop));
    shop.done("abort", &["--drop-target"]);
    assert_nothing_of_ours(&shop.source);
    assert_eq!(
        shop.target.run_sql("shop", "SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'").unwrap(),
        "0"
    );
}

#[test]
fn two_migrations_of_one_source_have_each_their_own() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", &format!("{TABLE}; CREATE TABLE b (id int PRIMARY KEY, x int)")).unwrap();
    let of = |name: &str, more: &[&str]| {
        let table = format!("public.{name}");
        let words = [&["--stop-when", "caught-up", "--tables", &table], more].concat();
        ran(shop.command(&Move::named(name, "start", &words)).env("TARGET_URL", shop.target.url(name)))
    };
    let abort = |name: &str| {
        let ran = ran(shop.command(&Move::named(name, "abort", &[])).env("TARGET_URL", shop.target.url(name)));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    };
    for name in ["a", "b"] {
        shop.target.create_database(name).unwrap();
    }
    done(of("a", &["--ddl-trigger"]));
    done(of("b", &["--ddl-trigger"]));
    assert_eq!(of_trigger(&shop.source), "6|1|2");
    shop.source.run_sql("shop", "ALTER TABLE b DROP x").unwrap();
    done(of("a", &[]));
    abort("a");
    assert_eq!(of_trigger(&shop.source), "3|1|1");
    refused(of("b", &[]), &["column `x` was dropped", "`ALTER TABLE b DROP x`"]);
    abort("b");
    assert_nothing_of_ours(&shop.source);
}

#[test]
fn the_role_that_made_it_need_not_be_on_the_target_of_another_migration() {
    let mut shop = Move::between(16, 18);
    shop.source.run_sql("shop", &format!("{TABLE}; CREATE ROLE mover LOGIN SUPERUSER PASSWORD 'mover'")).unwrap();
    shop.source_url = format!("postgres://mover:mover@127.0.0.1:{}/shop?sslmode=disable", shop.source.port());
    done(with_trigger(&shop));
    shop.target.create_database("other").unwrap();
    let mut second = shop.command(&Move::named("other", "start", &["--stop-when", "caught-up"]));
    done(ran(second.env("TARGET_URL", shop.target.url("other"))));
}

#[test]
fn one_that_somebody_changed_is_told_and_the_catalog_goes_on_telling() {
    let shop = Move::between(18, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    let mut running = shop.follow(&["--ddl-trigger"]);
    let name = slot(&shop);
    let told = |running: &crate::support::Running, what: &str| running.stderr().matches(what).count();
    // Met, it is not the one that what comes later is laid to.
    shop.source.run_sql("shop", "ALTER TABLE a ADD u int").unwrap();
    eventually("the column has come", || {
        let column = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'u'";
        shop.target.run_sql("shop", column).unwrap() == "1"
    });
    shop.source.run_sql("shop", &format!("ALTER EVENT TRIGGER {name}_end DISABLE")).unwrap();
    eventually("a disabled trigger is told", || {
        running.assert_alive();
        told(&running, "is disabled, altered, or another version's") == 1
    });
    shop.source.run_sql("shop", "ALTER TABLE a DROP x").unwrap();
    let said = refused(running.wait(), &["column `x` was dropped"]);
    assert!(!said.contains("(by "), "{said}");
    shop.target.run_sql("shop", "ALTER TABLE a DROP x").unwrap();
    // A run that does not ask for it leaves it as it is.
    assert!(done(caught_up(&shop)).contains("is disabled, altered"));
    assert!(!done(with_trigger(&shop)).contains("is disabled, altered"));

    let broken =
        format!("CREATE OR REPLACE FUNCTION atalaya.{name}() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'");
    shop.source.run_sql("shop", &broken).unwrap();
    assert!(done(caught_up(&shop)).contains("is disabled, altered"));
    shop.source.run_sql("shop", "ALTER TABLE a ADD w int DEFAULT 3; UPDATE a SET y = 7").unwrap();
    done(caught_up(&shop));
    shop.assert_equal();
    shop.source.run_sql("shop", "DROP SCHEMA atalaya CASCADE").unwrap();
    assert!(done(caught_up(&shop)).contains("on the source is gone"));
    shop.source.run_sql("shop", "ALTER TABLE a ADD v int DEFAULT 4").unwrap();
    done(caught_up(&shop));
    shop.assert_equal();
    assert!(!done(with_trigger(&shop)).contains("is gone"));
    shop.source.run_sql("shop", "ALTER TABLE a DROP y").unwrap();
    refused(caught_up(&shop), &["column `y` was dropped (by", "`ALTER TABLE a DROP y`"]);
    shop.done("abort", &[]);
    assert_nothing_of_ours(&shop.source);
}

#[test]
fn no_statement_of_the_application_fails_whatever_the_function_may_not() {
    let shop = Move::between(14, 18);
    shop.source
        .run_sql(
            "shop",
            &format!(
                "{TABLE}; CREATE ROLE clerk; ALTER TABLE a OWNER TO clerk; GRANT CREATE, USAGE ON SCHEMA public TO clerk"
            ),
        )
        .unwrap();
    shop.target.run_sql("shop", "CREATE ROLE clerk").unwrap();
    done(with_trigger(&shop));
    // Where it may not even send, the catalog goes on telling.
    let send = "EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, bytea)";
    shop.source.run_sql("shop", &format!("REVOKE {send} FROM PUBLIC")).unwrap();
    shop.source
        .run_sql(
            "shop",
            "SET SESSION AUTHORIZATION clerk; ALTER TABLE a ADD w int DEFAULT 5; CREATE TABLE c (i int); DROP TABLE c",
        )
        .unwrap();
    done(caught_up(&shop));
    shop.assert_equal();
    // Where it may send, and not what it has to say.
    let ask = "REVOKE EXECUTE ON FUNCTION current_query() FROM PUBLIC";
    shop.source.run_sql("shop", &format!("GRANT {send} TO PUBLIC; {ask}")).unwrap();
    shop.source.run_sql("shop", "SET SESSION AUTHORIZATION clerk; ALTER TABLE a ADD v int DEFAULT 6").unwrap();
    let said = done(caught_up(&shop));
    assert!(said.contains("could not say what a statement did (SQLSTATE 42501)"), "{said}");
    shop.assert_equal();
}

#[test]
fn a_statement_that_is_under_way_while_it_is_removed_goes_on() {
    let shop = Move::between(18, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    done(with_trigger(&shop));
    let turn = "CREATE FUNCTION turn() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(77); RETURN 1; END'";
    shop.source.run_sql("shop", turn).unwrap();
    let holder = Held::open(&shop.source_url, "BEGIN; SELECT pg_advisory_xact_lock(77)");
    let writer = Held::open(&shop.source_url, "SELECT 1");
    let source = &shop.source;
    std::thread::scope(|threads| {
        let altered = threads.spawn(move || writer.run("ALTER TABLE public.a ADD w int DEFAULT public.turn()"));
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        eventually("the statement rewrites its rows", || source.run_sql("shop", waits).unwrap() == "1");
        let mut abort = shop.spawn_with("abort", &[], &[("ATALAYA_FAILPOINT", "trigger-dropped:1:stop")]);
        abort.wait_for_halt();
        // No new statement fires it.
        assert_eq!(of_trigger(source), "0|1|1");
        abort.go_on();
        holder.run("COMMIT").unwrap();
        altered.join().unwrap().unwrap();
        let ran = abort.wait();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    });
    assert_nothing_of_ours(&shop.source);
}

#[test]
fn what_is_sent_holds_no_value() {
    let shop = Move::between(14, 18);
    shop.source.run_sql("shop", &format!("{TABLE}; CREATE ROLE clerk")).unwrap();
    done(with_trigger(&shop));
    shop.source.run_sql("shop", "SELECT pg_create_logical_replication_slot('anybody', 'test_decoding')").unwrap();
    let session = Held::open(&shop.source_url, "SET search_path = public");
    let statements = [
        "ALTER TABLE a ADD c1 text DEFAULT 'it''s SECRET', ADD n int DEFAULT 77777",
        "ALTER TABLE a ADD \"it's 'c2\" text DEFAULT 'SECRET'",
        "ALTER TABLE a ADD c3 text DEFAULT E'\\'SECRET'",
        "ALTER TABLE a ADD c4 text DEFAULT $q$it's SECRET$q$",
        "ALTER ROLE clerk PASSWORD 'SECRET'; ALTER TABLE a ADD c5 text DEFAULT 'SECRET'",
        "/* it's */ ALTER ROLE clerk PASSWORD 'SECRET'; ALTER TABLE a ADD c6 int",
        "-- it's\nALTER ROLE clerk PASSWORD 'SECRET'; ALTER TABLE a ADD c7 int",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE a ADD c8 text DEFAULT ''SECRET'''; END $$",
        "SET standard_conforming_strings = off",
        "ALTER TABLE a ADD c9 text DEFAULT 'x\\'SECRET'",
    ];
    for statement in statements {
        session.run(statement).unwrap();
    }
    session.run(&format!("ALTER TABLE a ADD c10 text DEFAULT '{}SECRET'", "x".repeat(5000))).unwrap();
    let sent = "SELECT data FROM pg_logical_slot_get_changes('anybody', NULL, NULL) WHERE data LIKE 'message%'";
    let sent = shop.source.run_sql("shop", sent).unwrap();
    assert_eq!(sent.matches("\"ddl_command_end\"").count(), 10, "{sent}");
    assert!(!sent.contains("SECRET") && !sent.contains("77777") && !sent.contains("xxx"), "{sent}");
    assert!(sent.contains("ADD c1 text DEFAULT ?, ADD n int DEFAULT ?"), "{sent}");
    let said = done(caught_up(&shop));
    assert!(!said.contains("SECRET") && !said.contains("77777"), "{said}");
    shop.assert_equal();
}
