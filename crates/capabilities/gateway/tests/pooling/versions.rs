//! Every Postgres that is supported, behind a gateway with one connection.

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Setup, query, run};

fn hands_over(major: u16) {
    let (server, database) = fresh_database(major).unwrap();
    let gateway = Setup::of(server, &database).start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    assert_eq!(first.run("SELECT current_setting('server_version_num')::int / 10000"), major.to_string());
    first.run("CREATE SEQUENCE numbers; SET work_mem = '9MB'; SET a.b = 'mine'; PREPARE p AS SELECT 'by SQL'");
    first.prepare("s", "SELECT 'by protocol', nextval('numbers')");
    first.execute("s", &[]);
    assert_eq!(second.run("SHOW work_mem"), "4MB");
    assert_ne!(second.run("SELECT current_setting('a.b', true)"), "mine");
    assert_eq!(second.error("SELECT lastval()"), "55000");
    assert_eq!(second.error("EXECUTE p"), "26000");
    assert_eq!(second.tags(&run("s", &[])), "E26000 ZI");
    assert_eq!(first.run("SELECT current_setting('work_mem'), current_setting('a.b')"), "9MB|mine");
    assert_eq!(first.run("EXECUTE p"), "by SQL");
    assert_eq!(first.execute("s", &[]), "by protocol|2");
    first.run("DISCARD ALL");
    assert_eq!(first.run("SHOW work_mem"), "4MB");
    first.run("DO $$ BEGIN CREATE TEMP TABLE t (x int); END $$");
    eventually("it is bound", || gateway.status().kept.len() == 1);
    first.run("DROP TABLE t");
    assert_eq!(second.tags(&query("SELECT 1")), "T D C ZI");
}

#[test]
fn postgres_13_hands_over_nothing() {
    hands_over(13);
}

#[test]
fn postgres_14_hands_over_nothing() {
    hands_over(14);
}

#[test]
fn postgres_15_hands_over_nothing() {
    hands_over(15);
}

#[test]
fn postgres_16_hands_over_nothing() {
    hands_over(16);
}

#[test]
fn postgres_17_hands_over_nothing() {
    hands_over(17);
}

#[test]
fn postgres_18_hands_over_nothing() {
    hands_over(18);
}
