//! A slot that does not come about in time leaves nothing behind.

use std::time::Duration;

use atalaya_postgres::fence_slot::{FenceSlot, Lifetime};
use atalaya_postgres::{Error, Session};
use atalaya_sandbox::{Server, ServerOptions};

use crate::wire::support::parse;

#[tokio::test]
async fn a_slot_that_waited_too_long_is_gone_when_its_error_comes_and_its_name_is_free() {
    for major in [13, 18] {
        let server = Server::start(ServerOptions::new(major)).unwrap();
        let url = parse(&server.url("postgres"));
        let writer = Session::connect(&url, "session test").await.unwrap();
        writer.batch("BEGIN; SELECT pg_catalog.txid_current()").await.unwrap();
        let slots = "SELECT count(*), count(*) FILTER (WHERE active) FROM pg_replication_slots";
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'";
        for lifetime in [Lifetime::Persistent("half_made"), Lifetime::Temporary] {
            let error = FenceSlot::open(&url, lifetime, Duration::from_secs(1)).await.err().unwrap();
            assert!(matches!(error, Error::OpenTransactions { .. }), "{error:?}");
            assert_eq!(server.run_sql("postgres", slots).unwrap().trim(), "0|0", "{lifetime:?} on {major}");
        }
        writer.batch("COMMIT").await.unwrap();
        let slot = FenceSlot::open(&url, Lifetime::Persistent("half_made"), Duration::from_secs(30)).await.unwrap();
        assert_eq!(server.run_sql("postgres", slots).unwrap().trim(), "1|0", "{}", slot.consistent_point());
        assert_eq!(server.run_sql("postgres", waiting).unwrap().trim(), "1");
    }
}

/// A slot on the standby of a primary where nothing happens, by a role of that name on both.
async fn opens_on_a_standby(role: &str) {
    for major in [16, 18] {
        let primary = Server::start(ServerOptions::new(major).setting("wal_keep_size", "256MB")).unwrap();
        let sql =
            "CREATE ROLE plain LOGIN REPLICATION PASSWORD 'plain'; CREATE TABLE t (id int); INSERT INTO t VALUES (1)";
        primary.run_sql("postgres", sql).unwrap();
        let standby = primary.start_standby(&[]).unwrap();
        let url = |server: &Server| match role {
            "plain" => parse(&format!("postgres://plain:plain@127.0.0.1:{}/postgres?sslmode=disable", server.port())),
            _ => parse(&server.url("postgres")),
        };
        let session = Session::connect(&url(&primary), "session test").await.unwrap();
        let position = "SELECT pg_current_wal_insert_lsn()::text";
        let limit = Duration::from_secs(30);
        let slot = FenceSlot::open_on_standby(&url(&standby), &url(&primary), &session, limit).await.unwrap();
        let after: String = session.query_one(position, &[]).await.unwrap().get(0);
        assert!(slot.consistent_point() <= after.parse().unwrap());
        primary.run_sql("postgres", "INSERT INTO t VALUES (2)").unwrap();
        let reader = Session::connect(&url(&standby), "session test").await.unwrap();
        let import = format!("SET TRANSACTION SNAPSHOT '{}'", slot.snapshot());
        reader.batch(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {import}")).await.unwrap();
        let slots = "SELECT count(*) FROM pg_catalog.pg_replication_slots";
        assert_eq!(reader.query_one(slots, &[]).await.unwrap().get::<_, i64>(0), 1);
        if role != "plain" {
            let rows = reader.query_one("SELECT count(*) FROM public.t", &[]).await.unwrap();
            assert_eq!(rows.get::<_, i64>(0), 1);
        }
    }
}

#[tokio::test]
async fn a_slot_on_the_standby_of_an_idle_primary_comes_about() {
    opens_on_a_standby("superuser").await;
}

#[tokio::test]
async fn a_slot_on_a_standby_comes_about_by_a_role_that_may_only_replicate() {
    opens_on_a_standby("plain").await;
}
