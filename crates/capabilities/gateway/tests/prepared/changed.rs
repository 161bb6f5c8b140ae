//! Tables that change under a prepared statement.

use crate::support::{describe_statement, gateway, run, sync, tags};

#[test]
fn who_prepared_before_a_table_changed_is_told_and_who_prepares_afterwards_is_served() {
    let gateway = gateway();
    let (mut old, mut new) = (gateway.client(), gateway.client());
    old.run("CREATE TABLE t AS SELECT 1 AS a");
    old.prepare("s", "SELECT * FROM t");
    assert_eq!(old.execute("s", &[]), "1");
    new.run("ALTER TABLE t ADD b text DEFAULT 'x'");
    assert_eq!(old.tags(&run("s", &[])), "E0A000 ZI");
    new.prepare("s", "SELECT * FROM t");
    for _ in 0..2 {
        assert_eq!(new.execute("s", &[]), "1|x");
        assert_eq!(old.tags(&run("s", &[])), "E0A000 ZI");
    }
    let described = new.ask(&[describe_statement("s"), sync()].concat());
    assert_eq!(tags(&described), "t T ZI");
    assert_eq!(described[1].body[..2], [0, 2]);
}

#[test]
fn who_has_prepared_is_told_at_another_server_as_well() {
    let (server, database) = atalaya_sandbox::fresh_database(18).unwrap();
    let gateway = crate::support::Setup::of(server, &database).servers_max(2).start();
    let (mut old, mut other) = (gateway.client(), gateway.client());
    old.run("CREATE TABLE t AS SELECT 1 AS a");
    old.prepare("s", "SELECT * FROM t");
    other.run("ALTER TABLE t ADD b text DEFAULT 'x'");
    other.run("BEGIN");
    assert_eq!(old.tags(&run("s", &[])), "E0A000 ZI");
    other.run("COMMIT");
    assert_eq!(old.run("SELECT 1"), "1");
}

#[test]
fn a_table_that_is_made_again_in_the_same_shape_goes_on() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TABLE t AS SELECT 1 AS a");
    first.prepare("s", "SELECT * FROM t");
    second.run("DROP TABLE t; CREATE TABLE t AS SELECT 2 AS a");
    assert_eq!(first.execute("s", &[]), "2");
    second.run("DROP TABLE t");
    assert_eq!(first.tags(&run("s", &[])), "E42P01 ZI");
}
