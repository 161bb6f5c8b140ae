//! Servers that crash and connections that end, at whatever moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Expected, Options, Store};
use atalaya_sandbox::{Fault, Proxy, Server, ServerOptions};

use crate::ground::Ground;
use crate::making::{all, one};

/// The faults of a connection come in the middle of connecting, locking, writing and committing; a step of so many bytes
/// meets each of them.
const STEP: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_anywhere_loses_no_append_and_makes_none_twice() {
    let ground = Ground::postgres(15);
    let Ground::Postgres { server, database } = &ground else { panic!("it is Postgres") };
    let direct = ground.open().await;
    let (mut made, mut struck) = (0, 0);
    for after_bytes in (1_000_u64..6_000).step_by(STEP) {
        let proxy = Proxy::with_fault(server.port(), Fault::HangUp, after_bytes).unwrap();
        let url = ConnectionUrl::parse(&proxy.url(&server.url(database))).unwrap();
        // The fault may come while it is opened, which is not tried again.
        let Ok(store) = Store::open_postgres(&url, Options::default()).await else { continue };
        for _ in 0..6 {
            let answer = store.append(one("a-1", Expected::Exact(made))).await.unwrap();
            assert!(!answer.repeated);
            made += 1;
            assert_eq!(answer.last.number(), made);
        }
        struck += u64::from(proxy.has_struck());
    }
    assert!(struck > 5, "only {struck} faults came while appending");
    assert_eq!(all(&direct).await.len() as u64, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_while_it_commits_loses_no_answered_append_and_makes_none_twice() {
    let mut server = Server::start(ServerOptions::new(18).durable()).unwrap();
    let url = ConnectionUrl::parse(&server.url("postgres")).unwrap();
    let store = Store::open_postgres(&url, Options::default()).await.unwrap();
    let answered = Arc::new(AtomicU64::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (store, answered) = (store.clone(), answered.clone());
        writers.spawn(async move {
            for version in 0..150 {
                let answer = store.append(one(&format!("w-{writer}"), Expected::Exact(version))).await.unwrap();
                assert!(!answer.repeated);
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for crash in 1..=3 {
        while answered.load(Ordering::SeqCst) < crash * 250 {
            tokio::task::yield_now().await;
        }
        server.kill().unwrap();
        server.start_again().unwrap();
    }
    writers.join_all().await;
    assert_eq!(all(&store).await.len(), 8 * 150);
}
