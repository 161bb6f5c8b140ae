//! Which errors are worth a new connection: those of a connection that ended, and no others.

use atalaya_postgres::{Error, Retry, Session};
use atalaya_sandbox::{Server, ServerOptions, eventually};

use crate::wire::support::parse;

#[tokio::test]
async fn only_an_ended_connection_is_worth_a_new_one() {
    let server = Server::start(ServerOptions::new(18)).unwrap();
    let session = Session::connect(&parse(&server.url("postgres")), "session test").await.unwrap();
    // A value that does not fit its parameter's type never leaves this process.
    let error = session.query("SELECT $1::int4", &[&"seven"]).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Never);
    // The session lives on.
    assert_eq!(session.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);

    let error = session.query("SELECT pg_terminate_backend(pg_backend_pid())", &[]).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.retry()), (Some("57P01"), Retry::Reconnect), "{error:?}");
    let error = session.query("SELECT 1", &[]).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Reconnect);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_ends_the_connection() {
    let mut server = Server::start(ServerOptions::new(18)).unwrap();
    let session = Session::connect(&parse(&server.url("postgres")), "session test").await.unwrap();
    let asked = tokio::spawn(async move { session.query("SELECT pg_sleep(60)", &[]).await.unwrap_err() });
    eventually("the server is asked", || {
        server
            .run_sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")
            .unwrap()
            .trim()
            == "1"
    });
    server.kill().unwrap();
    let error = asked.await.unwrap();
    assert_eq!(error.retry(), Retry::Reconnect, "{error:?}");
}
