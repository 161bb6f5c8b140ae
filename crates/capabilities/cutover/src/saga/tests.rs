//! The definition that cutovers under way are bound to.

use super::*;

/// Other steps need another revision beside this one.
#[tokio::test]
async fn the_steps_are_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        atalaya_eventstore::Store::open_sqlite(&folder.path().join("journal.db"), Default::default()).await.unwrap();
    let url = || atalaya_estate::ConnectionUrl::parse("postgres://mover@old/shop").unwrap();
    let means = Means {
        routes: atalaya_route::Routes::new(store),
        gates: Vec::new(),
        replication: Arc::new(Nobody),
        places: [("old".to_owned(), url()), ("new".to_owned(), url())],
        limits: crate::Limits::default(),
        client_roles: Vec::new(),
        unproven: crate::Unproven::Refuse,
        by: String::new(),
        failpoints: atalaya_control::Failpoints::none(),
    };
    let hash = definition(&means, &Arc::default()).unwrap().hash().to_string();
    assert_eq!(hash, "b9153cf8b3a9484d48d743c9c6e4811734d1dd70741d1476b10454b145f2ef08");
}

struct Nobody;

type Never<'a, T> = futures_util::future::BoxFuture<'a, Result<T, crate::PartError>>;

fn never<'a, T: Send + 'a>() -> Never<'a, T> {
    Box::pin(std::future::ready(Err(crate::PartError::new("nobody"))))
}

impl crate::ReplicationControl for Nobody {
    fn following(&self, _: crate::Direction) -> Never<'_, crate::Following> {
        never()
    }

    fn make_way_back(&self, _: crate::Direction) -> Never<'_, ()> {
        never()
    }

    fn come_close(&self, _: crate::Direction, _: Duration) -> Never<'_, ()> {
        never()
    }

    fn pass_marker(&self, _: crate::Direction, _: atalaya_data::Lsn, _: Duration) -> Never<'_, crate::MarkerPassed> {
        never()
    }

    fn prove(&self, _: crate::Direction, _: Duration) -> Never<'_, crate::Proven> {
        never()
    }

    fn carry_sequences(&self, _: crate::Direction, _: Duration) -> Never<'_, u64> {
        never()
    }

    fn take_over(&self, _: crate::Direction) -> Never<'_, ()> {
        never()
    }
}
