//! Users of one database, each with a login of its own at the server.

use atalaya_sandbox::fresh_database;

use crate::support::{Client, PASSWORD, Setup};

#[test]
fn each_user_of_a_database_is_at_the_server_who_its_own_secret_says() {
    let (server, database) = fresh_database(18).unwrap();
    let report = format!("report_of_{database}");
    let create = format!("CREATE ROLE {report} LOGIN PASSWORD 'of reports'; CREATE TABLE t AS SELECT 7 AS x");
    server.run_sql(&database, &create).unwrap();
    let setup = Setup::of(server, &database).user("report", &report, "of reports");
    server.run_sql(&database, &format!("GRANT SELECT ON t TO {}", setup.server_user())).unwrap();
    let gateway = setup.start();
    let mut app = gateway.client();
    let mut other = Client::login(&gateway.login_as("report", "shop"));
    for _ in 0..3 {
        assert_eq!(app.run("SELECT session_user, current_user, x FROM t"), {
            let role = setup.server_user();
            format!("{role}|{role}|7")
        });
        assert_eq!(other.run("SELECT session_user, current_user"), format!("{report}|{report}"));
        assert_eq!(other.error("SELECT x FROM t"), "42501");
    }
    let pools = gateway.status().pools;
    let users: Vec<_> = pools.iter().map(|pool| (pool.user.as_str(), pool.servers_idle + pool.servers_used)).collect();
    assert_eq!(users.len(), 2);
    assert!(users.contains(&("app", 1)) && users.contains(&("report", 1)), "{users:?}");
}

#[test]
fn a_wrong_secret_of_one_user_is_no_other_users_business() {
    let (server, database) = fresh_database(18).unwrap();
    let setup = Setup::of(server, &database);
    let role = setup.server_user().to_owned();
    let gateway = setup.user("report", &role, "not its secret").start();
    let mut app = gateway.client();
    let refused = Client::try_login(&gateway.login_as("report", "shop")).err().unwrap();
    assert_eq!(refused.sqlstate, "28000");
    assert!(!refused.text.contains(&role), "{}", refused.text);
    assert_eq!(app.run("SELECT 1"), "1");
}

#[test]
fn a_user_without_access_to_a_database_is_told_so_once_it_has_proven_who_it_is() {
    let (server, database) = fresh_database(18).unwrap();
    let (_, other) = fresh_database(18).unwrap();
    let report = format!("report_of_{database}");
    server.run_sql(&database, &format!("CREATE ROLE {report} LOGIN PASSWORD 'of reports'")).unwrap();
    let setup = Setup::of(server, &database).other(server, &other).user("report", &report, "of reports");
    let gateway = setup.stranger("stranger").start();
    for (user, database) in [("stranger", "shop"), ("stranger", "other"), ("report", "other")] {
        let mut login = gateway.login_as(user, database);
        let refused = Client::try_login(&login).err().unwrap();
        assert_eq!(refused.sqlstate, "28000", "{user}, {database}");
        assert!(refused.text.contains(user) && refused.text.contains(database), "{}", refused.text);
        login.password = format!("not {PASSWORD}");
        assert_eq!(Client::try_login(&login).err().unwrap().sqlstate, "28P01");
    }
    assert_eq!(Client::login(&gateway.login_as("report", "shop")).run("SELECT 1"), "1");
    assert_eq!(Client::login(&gateway.login_as("app", "other")).run("SELECT current_database()"), other);
    assert_eq!((gateway.status().logins_refused, gateway.status_of("other").logins_refused), (2, 4));
}
