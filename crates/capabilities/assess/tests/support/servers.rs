//! The servers.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use tokio::sync::OnceCell;

/// Which of the shared servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 13, set up for a move.
    Old,
    /// 18, set up for a move.
    New,
    /// 18, set up as badly as can be.
    Odd,
    /// 13, where transactions stay open and slots are left behind.
    Busy,
    /// 18, a standby.
    Standby,
}

/// Who assesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Superuser,
    /// As RDS gives: REPLICATION, pg_monitor, CREATE on the database, owner of its tables, nothing else.
    Shaped,
    /// May log in, nothing else.
    Plain,
}

static READY: [OnceCell<()>; 5] = [const { OnceCell::const_new() }; 5];

fn port(kind: Kind) -> u16 {
    match kind {
        Kind::Old => 55013,
        Kind::New => 55018,
        Kind::Odd => 55118,
        Kind::Busy => 55113,
        Kind::Standby => 55218,
    }
}

fn url_as(kind: Kind, database: &str, user: &str) -> ConnectionUrl {
    ConnectionUrl::parse(&format!(
        "postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable",
        port(kind)
    ))
    .unwrap()
}

pub(crate) async fn url(kind: Kind, database: &str, login: Login) -> ConnectionUrl {
    url_as(
        kind,
        database,
        match login {
            Login::Superuser => "postgres",
            Login::Shaped => "shaped",
            Login::Plain => "plain",
        },
    )
}

pub(crate) async fn session(kind: Kind, database: &str) -> Session {
    Session::connect(&url_as(kind, database, "postgres"), "test").await.unwrap()
}

/// Runs batches parted by `;;`, with `{db}` as the database's name and public in the search path.
pub(crate) async fn run_sql(kind: Kind, database: &str, sql: &str) {
    if sql.is_empty() {
        return;
    }
    let session = session(kind, database).await;
    session.batch("SET search_path = public").await.unwrap();
    for batch in sql.split(";;").filter(|batch| !batch.trim().is_empty()) {
        session
            .batch(&batch.replace("{db}", database))
            .await
            .unwrap_or_else(|error| panic!("{database}: {error:?} in {batch}"));
    }
}

/// Makes an empty database; on a standby, which cannot, the answer is `postgres`.
pub(crate) async fn create_database(kind: Kind, name: &str, options: &str) -> String {
    if kind == Kind::Standby {
        return "postgres".to_owned();
    }
    READY[kind as usize]
        .get_or_init(|| async {
            let admin = session(kind, "postgres").await;
            admin
                .batch(
                    "DROP ROLE IF EXISTS plain; DROP ROLE IF EXISTS shaped; CREATE ROLE plain LOGIN;
                     CREATE ROLE shaped LOGIN REPLICATION;
                     GRANT pg_monitor, pg_signal_backend TO shaped",
                )
                .await
                .unwrap();
        })
        .await;
    let admin = session(kind, "postgres").await;
    let _ = admin.batch(&format!("DROP DATABASE IF EXISTS {name}")).await;
    admin
        .batch(&format!("CREATE DATABASE {name} {options}"))
        .await
        .unwrap();
    admin
        .batch(&format!("GRANT CREATE ON DATABASE {name} TO shaped"))
        .await
        .unwrap();
    run_sql(kind, name, "GRANT CREATE, USAGE ON SCHEMA public TO shaped").await;
    name.to_owned()
}
