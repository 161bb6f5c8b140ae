//! Our schema on a server that another move has something in it.

use atalaya_postgres::{Session, control};
use atalaya_sandbox::{Server, ServerOptions};

use crate::wire::support::parse;

#[tokio::test]
async fn the_function_of_another_moves_event_trigger_outlives_our_tables() {
    let server = Server::start(ServerOptions::new(18)).unwrap();
    let session = Session::connect(&parse(&server.url("postgres")), "control test").await.unwrap();
    control::install_schema(&session).await.unwrap();
    session
        .batch(
            "CREATE FUNCTION atalaya.theirs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
             CREATE EVENT TRIGGER theirs ON ddl_command_end EXECUTE FUNCTION atalaya.theirs()",
        )
        .await
        .unwrap();
    control::drop_schema(&session).await.unwrap();
    let left = "SELECT (SELECT count(*) FROM pg_event_trigger),
                       (SELECT count(*) FROM pg_class WHERE relnamespace = 'atalaya'::regnamespace)";
    assert_eq!(server.run_sql("postgres", left).unwrap(), "1|0");

    session.batch("DROP FUNCTION atalaya.theirs() CASCADE").await.unwrap();
    control::drop_schema(&session).await.unwrap();
    control::drop_schema(&session).await.unwrap();
    let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'";
    assert_eq!(server.run_sql("postgres", schema).unwrap(), "0");
}
