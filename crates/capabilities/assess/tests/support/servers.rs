//! The servers, each started when first asked for and stopped by its watchdog when the process ends.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Role, Server, ServerOptions, StopMode};

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
    /// 18, with standbys: no other case makes anything there that a standby could not follow.
    Primary,
    /// A standby of `Primary` as it should be.
    Follower,
    /// A standby of `Primary` that tells it nothing; a case has it for itself.
    Silent,
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

/// A server with the roles that tests log in as.
struct Shared {
    server: Server,
    shaped: Role,
}

static SERVERS: [OnceLock<Shared>; 8] = [const { OnceLock::new() }; 8];

const PLAIN_PASSWORD: &str = "plain";

fn shared(kind: Kind) -> &'static Shared {
    SERVERS[kind as usize].get_or_init(|| {
        if let Kind::Follower | Kind::Silent = kind {
            return follower(kind);
        }
        let mut server = Server::start(options(kind)).unwrap();
        let shaped = server.create_rds_shaped_role("shaped", "postgres").unwrap();
        server.run_sql("postgres", &format!("CREATE ROLE plain LOGIN PASSWORD '{PLAIN_PASSWORD}'")).unwrap();
        if kind == Kind::Standby {
            server.stop(StopMode::Fast).unwrap();
            std::fs::write(server.folder().join("data/standby.signal"), "").unwrap();
            server.start_again().unwrap();
        }
        Shared { server, shaped }
    })
}

/// Its roles are its primary's.
fn follower(kind: Kind) -> Shared {
    let Shared { server, shaped } = shared(Kind::Primary);
    let settings: &[(&str, &str)] = match kind {
        Kind::Silent => &[("hot_standby_feedback", "off")],
        _ => &[("hot_standby_feedback", "on"), ("max_standby_streaming_delay", "-1")],
    };
    Shared { server: server.start_standby(settings).unwrap(), shaped: shaped.clone() }
}

/// Waits until a standby has all that its primary has written by now.
pub(crate) async fn caught_up(kind: Kind) {
    let written = session(Kind::Primary, "postgres").await;
    let written: String = written.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get(0);
    let standby = session(kind, "postgres").await;
    let sql = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    let deadline = Instant::now() + Duration::from_secs(60);
    while !standby.query_one(sql, &[&written]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "the standby does not come to {written}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn options(kind: Kind) -> ServerOptions {
    let ready = |major| {
        ServerOptions::new(major).setting("track_commit_timestamp", "on").setting("max_prepared_transactions", "10")
    };
    match kind {
        Kind::Old | Kind::Busy => ready(13),
        Kind::New | Kind::Standby => ready(18),
        Kind::Primary | Kind::Follower | Kind::Silent => {
            ready(18).setting("full_page_writes", "on").setting("wal_keep_size", "1GB")
        }
        Kind::Odd => ServerOptions::new(18)
            .setting("wal_level", "replica")
            .setting("max_replication_slots", "1")
            .setting("max_wal_senders", "2")
            .setting("max_connections", "30")
            .setting("max_locks_per_transaction", "10")
            .setting("max_slot_wal_keep_size", "1GB")
            .setting("idle_replication_slot_timeout", "1h")
            .setting("wal_sender_timeout", "5s")
            .setting("logical_decoding_work_mem", "1MB"),
    }
}

/// Where a login finds a database.
pub(crate) fn url(kind: Kind, database: &str, login: Login) -> ConnectionUrl {
    let Shared { server, shaped } = shared(kind);
    let text = match login {
        Login::Superuser => server.url(database),
        Login::Shaped => server.url_as(shaped, database),
        Login::Plain => {
            format!("postgres://plain:{PLAIN_PASSWORD}@127.0.0.1:{}/{database}?sslmode=disable", server.port())
        }
    };
    ConnectionUrl::parse(&text).unwrap()
}

/// A superuser's session.
pub(crate) async fn session(kind: Kind, database: &str) -> Session {
    Session::connect(&url(kind, database, Login::Superuser), "test").await.unwrap()
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
    let admin = session(kind, "postgres").await;
    admin.batch(&format!("CREATE DATABASE {name} {options}")).await.unwrap();
    admin.batch(&format!("GRANT CREATE ON DATABASE {name} TO shaped")).await.unwrap();
    run_sql(kind, name, "ALTER SCHEMA public OWNER TO shaped").await;
    name.to_owned()
}
