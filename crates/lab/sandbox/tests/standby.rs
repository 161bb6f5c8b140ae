//! Physical standbys.

use atalaya_sandbox::{Server, ServerOptions, eventually};

#[test]
fn a_standby_follows_its_primary_over_a_kill_until_it_is_promoted() {
    let primary = Server::start(ServerOptions::new(16).setting("wal_keep_size", "256MB")).unwrap();
    primary.run_sql("postgres", "CREATE TABLE t (id int); INSERT INTO t VALUES (1)").unwrap();
    let mut standby = primary.start_standby(&[("hot_standby_feedback", "on")]).unwrap();
    let rows = |server: &Server| server.run_sql("postgres", "SELECT count(*) FROM t").unwrap();
    assert_eq!(rows(&standby), "1");
    assert_eq!(standby.run_sql("postgres", "SHOW hot_standby_feedback").unwrap(), "on");
    standby.kill().unwrap();
    primary.run_sql("postgres", "INSERT INTO t VALUES (2)").unwrap();
    standby.start_again().unwrap();
    eventually("the second row is there", || rows(&standby) == "2");
    assert_eq!(standby.run_sql("postgres", "SELECT pg_is_in_recovery()").unwrap(), "t");
    assert_eq!(standby.run_sql("postgres", "SELECT pg_promote()").unwrap(), "t");
    standby.run_sql("postgres", "INSERT INTO t VALUES (3)").unwrap();
    assert_eq!((rows(&primary).as_str(), rows(&standby).as_str()), ("2", "3"));
}
