//! Sessions for control, and our schema on a server that another move has something in it.

use atalaya_postgres::{Session, control};
use atalaya_sandbox::{Server, ServerOptions, fresh_database};

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

#[tokio::test]
async fn commits_for_control_wait_for_the_disk_and_for_standbys_only_where_others_do() {
    let (server, database) = fresh_database(18).unwrap();
    for (of_the_database, of_ours) in
        [("off", "local"), ("local", "local"), ("on", "on"), ("remote_apply", "remote_apply")]
    {
        let sql = format!("ALTER DATABASE {database} SET synchronous_commit = {of_the_database}");
        server.run_sql("postgres", &sql).unwrap();
        let session = Session::connect_for_control(&parse(&server.url(&database)), "control test").await.unwrap();
        let row = session.query_one("SHOW synchronous_commit", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), of_ours);
    }
}
