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
