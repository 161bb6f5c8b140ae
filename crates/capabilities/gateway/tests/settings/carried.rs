//! What a client sets goes with it, and is not met by others.

use atalaya_sandbox::fresh_database;

use crate::support::{Setup, bind, execute, gateway, parse, query, sync, tags};

#[test]
fn a_setting_goes_with_its_client_and_no_other_meets_it() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let begun_with = second.run("SHOW work_mem");
    first.run("SET work_mem = '77MB'");
    assert_eq!(second.run("SHOW work_mem"), begun_with);
    assert_eq!(first.run("SHOW work_mem"), "77MB");
    first.run("RESET work_mem");
    assert_eq!(first.run("SHOW work_mem"), begun_with);
    assert_eq!(second.run("SHOW work_mem"), begun_with);
}

#[test]
fn the_schemas_that_a_client_searches_are_its_own() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE SCHEMA mine; CREATE TABLE mine.t AS SELECT 'hidden' AS x; SET search_path = mine, public");
    assert_eq!(second.error("SELECT * FROM t"), "42P01");
    assert_eq!(first.run("SELECT * FROM t"), "hidden");
    assert_eq!(second.error("SELECT * FROM t"), "42P01");
}

#[test]
fn a_role_that_was_taken_on_is_its_clients_alone() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).start();
    server
        .run_sql(&database, &format!("CREATE ROLE clerk_of_{database}; GRANT clerk_of_{database} TO app_of_{database}"))
        .unwrap();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run(&format!("SET ROLE clerk_of_{database}"));
    assert_eq!(second.run("SELECT current_user"), format!("app_of_{database}"));
    assert_eq!(first.run("SELECT current_user"), format!("clerk_of_{database}"));
    first.run("RESET ROLE");
    assert_eq!(first.run("SELECT current_user"), format!("app_of_{database}"));
    first.run(&format!("SET ROLE clerk_of_{database}; SET work_mem = '9MB'"));
    first.run("DISCARD ALL");
    assert_eq!(first.run("SELECT current_user, current_setting('work_mem')"), format!("app_of_{database}|4MB"));
    assert_eq!(second.run("SELECT current_user"), format!("app_of_{database}"));
}

#[test]
fn custom_settings_are_carried_by_every_way_in_which_they_are_set() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let unset = |value: String| assert!(value == "~" || value.is_empty(), "{value}");
    for (way, sql) in [
        ("SET", "SET a.b = 'mine'"),
        ("set_config", "SELECT set_config('a.b', 'mine', false)"),
        ("in a transaction", "BEGIN; SET a.b = 'mine'; COMMIT"),
        ("in a DO block", "DO $$ BEGIN SET a.b = 'mine'; END $$"),
        ("by set_config in a DO block", "DO $$ BEGIN PERFORM set_config('a.b', 'mine', false); END $$"),
    ] {
        first.run(sql);
        unset(second.run("SELECT current_setting('a.b', true)"));
        assert_eq!(first.run("SELECT current_setting('a.b', true)"), "mine", "{way}");
        first.run("RESET a.b");
        unset(first.run("SELECT current_setting('a.b', true)"));
    }
}

#[test]
fn custom_settings_that_no_text_shows_are_met_by_nobody_else() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run(
        "CREATE FUNCTION sets() RETURNS int LANGUAGE plpgsql AS
           $$ BEGIN PERFORM set_config('tenant' || '.id', 'mine', false); RETURN 1; END $$;
         CREATE VIEW looks AS SELECT sets()",
    );
    for sql in [
        "SELECT sets()",
        "DO $$ BEGIN PERFORM set_config('tenant' || '.id', 'mine', false); END $$",
        "SELECT set_config('tenant' || '.id', 'mine', false)",
        "BEGIN; SELECT sets(); COMMIT",
        "DO $$ BEGIN EXECUTE 'SET tenant' || '.id = 1'; END $$",
    ] {
        first.run(sql);
        let met = second.run("SELECT current_setting('tenant.id', true)");
        assert!(met == "~" || met.is_empty(), "{sql}: {met}");
    }
}

#[test]
fn where_every_transaction_is_checked_nothing_hides_behind_a_view() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).database("check: always").start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run(
        "CREATE FUNCTION sets() RETURNS int LANGUAGE plpgsql AS
           $$ BEGIN PERFORM set_config('work_mem', '9MB', false); RETURN 1; END $$;
         CREATE VIEW looks AS SELECT sets()",
    );
    first.run("SELECT * FROM looks");
    assert_eq!(second.run("SHOW work_mem"), "4MB");
    assert_eq!(first.run("SHOW work_mem"), "9MB");
}

/// Nothing in these texts tells what they leave behind.
#[test]
fn where_every_transaction_is_checked_the_next_client_finds_nothing_of_what_a_view_has_done() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).database("check: always").start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run(
        "CREATE FUNCTION does(what text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE what; RETURN 1; END $$;
         CREATE TABLE t (n int); CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM set_config('tenant.fired', 'first', false); RETURN NEW; END $$;
         CREATE TRIGGER fires BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fires();
         CREATE VIEW sets AS SELECT does($q$SELECT set_config('tenant.id', 'first', false)$q$);
         CREATE VIEW prepares AS SELECT does('PREPARE theirs AS SELECT 1');
         CREATE VIEW drops AS SELECT does('DEALLOCATE ALL')",
    );
    first.run("SELECT * FROM sets");
    first.run("INSERT INTO t VALUES (1)");
    let tenants = "SELECT current_setting('tenant.id', true), current_setting('tenant.fired', true)";
    assert_eq!(second.run(tenants), "|");
    first.run("SELECT * FROM prepares");
    assert_eq!(second.error("EXECUTE theirs"), "26000");
    // What it has prepared by the protocol is there, whoever has dropped everything.
    second.ask(&[parse("mine", "SELECT 'mine'"), sync()].concat());
    first.run("SELECT * FROM drops");
    let answered = second.ask(&[bind("", "mine", &[]), execute("", 0), sync()].concat());
    assert_eq!(tags(&answered), "2 D C ZI");
}

#[test]
fn what_was_rolled_back_was_not_set() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("SET work_mem = '5MB'; SET a.b = 'before'");
    first.run("BEGIN");
    first.run("SET work_mem = '77MB'; SET a.b = 'within'");
    first.run("ROLLBACK");
    assert_eq!(
        second.run("SELECT current_setting('work_mem'), current_setting('a.b', true)").split('|').next(),
        Some("4MB")
    );
    assert_eq!(first.run("SELECT current_setting('work_mem'), current_setting('a.b')"), "5MB|before");
    first.run("BEGIN; SET work_mem = '77MB'; SET a.b = 'within'");
    assert_eq!(first.error("SELECT 1 / 0"), "22012");
    assert_eq!(tags(&first.ask(&query("COMMIT"))), "C ZI");
    assert_eq!(first.run("SELECT current_setting('work_mem'), current_setting('a.b')"), "5MB|before");
    assert_eq!(second.run("SHOW work_mem"), "4MB");
}

#[test]
fn a_setting_of_a_failed_text_was_not_set() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    assert_eq!(first.error("SET work_mem = '77MB'; SELECT 1 / 0"), "22012");
    assert_eq!(second.run("SHOW work_mem"), "4MB");
    assert_eq!(first.run("SHOW work_mem"), "4MB");
}

#[test]
fn a_setting_of_a_transaction_ends_with_it() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN; SET LOCAL work_mem = '77MB'; SELECT set_config('a.b', 'mine', true); COMMIT");
    assert_eq!(second.run("SHOW work_mem"), "4MB");
    assert_eq!(first.run("SHOW work_mem"), "4MB");
    assert_ne!(first.run("SELECT current_setting('a.b', true)"), "mine");
}

#[test]
fn a_savepoint_takes_back_what_was_set_behind_it() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN; SET work_mem = '5MB'; SAVEPOINT s; SET work_mem = '77MB'; ROLLBACK TO s; COMMIT");
    second.run("SELECT 1");
    assert_eq!(first.run("SHOW work_mem"), "5MB");
}

#[test]
fn strings_are_read_as_the_client_has_set_them_even_within_one_text() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    // With `standard_conforming_strings` the second statement is two strings, and without it sets something.
    let odd = r"SELECT '\', '; SET tenant.id = 'mine'; --'";
    first.ask(&query(&format!("SET standard_conforming_strings = off; {odd}")));
    let met = second.run("SELECT current_setting('tenant.id', true)");
    assert!(met == "~" || met.is_empty(), "{met}");
    first.run("SET standard_conforming_strings = on");
    first.send(&[query("SET standard_conforming_strings = off"), query(odd)].concat());
    first.until_ready();
    first.until_ready();
    let met = second.run("SELECT current_setting('tenant.id', true)");
    assert!(met == "~" || met.is_empty(), "{met}");
}

#[test]
fn a_changed_setting_is_reported_to_its_client_only() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    assert_eq!(first.tags(&query("SET application_name = 'one'")), "C S ZI");
    assert_eq!(second.tags(&query("SELECT 1")), "T D C ZI");
    assert_eq!(first.tags(&query("SELECT 1")), "T D C ZI");
    assert_eq!(second.run("SHOW application_name"), "");
    assert_eq!(first.run("SHOW application_name"), "one");
}

#[test]
fn a_short_limit_of_one_client_is_never_met_by_the_next() {
    let gateway = gateway();
    let mut second = gateway.client();
    second.run("SET a.b = 'mine'");
    for number in 0..200 {
        let mut first = gateway.client();
        first.ask(&query("SET statement_timeout = 1"));
        first.ask(&query("SELECT 1"));
        // If the look at what it left took too long, it has kept its server until here.
        drop(first);
        assert_eq!(second.tags(&query("SELECT 1")), "T D C ZI", "after {number}");
    }
}
