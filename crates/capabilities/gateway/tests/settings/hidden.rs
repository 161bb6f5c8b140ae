//! A client that tries to hide from the gateway what it left.

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Setup, gateway};

#[test]
fn operators_of_a_client_do_not_answer_the_gateways_questions() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run(
        "CREATE SCHEMA evil;
         CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
         CREATE FUNCTION evil.never(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
         CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = text, RIGHTARG = text);
         CREATE OPERATOR evil.= (FUNCTION = evil.never, LEFTARG = oid, RIGHTARG = oid);
         CREATE OPERATOR evil.~~ (FUNCTION = evil.never, LEFTARG = text, RIGHTARG = text)",
    );
    first.run("SET search_path = evil, pg_catalog; SET work_mem = '77MB'; SET a.b = 'mine'");
    assert_eq!(second.run("SHOW search_path"), "\"$user\", public");
    assert_eq!(second.run("SHOW work_mem"), "4MB");
    assert_ne!(second.run("SELECT current_setting('a.b', true)"), "mine");
    assert_eq!(first.run("SELECT current_setting('a.b', true)"), "mine");
    first.run("CREATE TEMP TABLE t (id int)");
    eventually("bound", || gateway.status().kept.len() == 1);
}

#[test]
fn a_table_of_a_client_does_not_stand_for_the_catalogs() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE SCHEMA evil; CREATE VIEW evil.pg_settings AS SELECT ''::text AS name, ''::text AS setting, ''::text AS source");
    first.run("SET search_path = evil, pg_catalog; SET work_mem = '77MB'");
    assert_eq!(second.run("SHOW work_mem"), "4MB");
}

#[test]
fn hundreds_of_settings_of_one_client_are_carried_or_gone_but_never_met() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let all: Vec<String> = (0..600).map(|number| format!("SET many.s{number} = 'mine'")).collect();
    first.run(&all.join("; "));
    for number in [0, 300, 511, 599] {
        let met = second.run(&format!("SELECT current_setting('many.s{number}', true)"));
        assert!(met == "~" || met.is_empty(), "{number}: {met}");
    }
    assert_eq!(first.run("SELECT 1"), "1");
}

#[test]
fn more_settings_than_are_carried_are_met_by_nobody_else() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let many: Vec<String> = (0..700).map(|number| format!("SET many.n{number} = 'mine'")).collect();
    first.run("BEGIN");
    for each in many.chunks(50) {
        first.run(&each.join("; "));
    }
    first.run("COMMIT");
    let seen = "SELECT count(*) FROM generate_series(0, 699) g WHERE current_setting('many.n' || g, true) = 'mine'";
    assert_eq!(second.run(seen), "0");
    assert_eq!(first.run(seen), "700");
    drop(first);
    let mut third = gateway.client();
    third.run("BEGIN");
    for other in [&mut third, &mut second] {
        assert_eq!(other.run(seen), "0");
    }
}
