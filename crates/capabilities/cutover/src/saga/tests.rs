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
        ends: vec![crate::Ends {
            database: "old".to_owned(),
            places: [("old".to_owned(), url()), ("new".to_owned(), url())],
            replication: Arc::new(Nobody),
        }],
        limits: crate::Limits::default(),
        client_roles: Vec::new(),
        other_schema: crate::OtherSchema::Refuse,
        unproven: crate::Unproven::Refuse,
        plans: crate::Plans::default(),
        prewarm: None,
        by: String::new(),
        failpoints: atalaya_control::Failpoints::none(),
    };
    let hash = |kind| steps::definition(kind, &means, &Arc::default()).unwrap().hash().to_string();
    assert_eq!(hash(KIND), "b9153cf8b3a9484d48d743c9c6e4811734d1dd70741d1476b10454b145f2ef08");
    assert_eq!(hash(KIND_OF_SEVERAL), "4ed3d7e1190f120415bf9eac3ea12fba31bbe6e0cac029803c691f9559f5e3a7");
}

/// What a process of an earlier version has left goes on, and so does what this one leaves of one database.
#[test]
fn what_a_saga_is_started_with_is_read_as_ever() {
    let course = r#"{"migration":"m","database":"a","from":"a","to":"b","direction":"forward","purpose":"flip"}"#;
    let one = format!(r#"{{"course":{course},"floor":3}}"#);
    let read: Input = serde_json::from_str(&one).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), one);
    let [begun] = <[Begun; 1]>::try_from(read.begun()).unwrap();
    assert_eq!((begun.course.migration.as_str(), begun.floor), ("m", 3));
    let several = format!(r#"{{"databases":[{one},{one}]}}"#);
    let read: Input = serde_json::from_str(&several).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), several);
    assert_eq!(read.begun(), [begun.clone(), begun]);
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

    fn schema(&self, _: crate::Direction) -> Never<'_, Vec<crate::SchemaDifference>> {
        never()
    }

    fn make_way_back(&self, _: crate::Direction) -> Never<'_, ()> {
        never()
    }

    fn take_charge(&self) -> Never<'_, crate::Charge> {
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
