//! Transactions in other databases, which new slots wait for.

use std::sync::Arc;

use atalaya_cutover::preflight::{Status, preflight};
use atalaya_cutover::{Ends, Purpose};
use atalaya_postgres::Session;
use atalaya_sandbox::{Server, ServerOptions};

use crate::ground::{Ground, Side, course};
use crate::hand::Streams;

#[tokio::test]
async fn transactions_that_write_in_any_database_of_both_servers_are_told_with_their_owner() {
    // Of its own: the others' servers are those of other tests, too.
    let server: &'static Server =
        Box::leak(Box::new(Server::start(ServerOptions::new(16).setting("max_prepared_transactions", "4")).unwrap()));
    let ground = Ground::between(Side::on(server), Side::on(server), None);
    let elsewhere = Side::on(server);
    let gates = ground.gates().await;
    let means = ground.means("one", &gates).await;
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    let others = report.check("other-databases").unwrap();
    let text = &others.findings[0].seen;
    assert_eq!(others.status, Status::Pass, "{others:?}");
    assert!(text.ends_with(&format!("not led by this command: {}", elsewhere.database)), "{text}");
    let found = async || {
        let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
        let check = report.check("long-transactions").unwrap();
        (check.status, check.findings.iter().map(|found| found.seen.clone()).collect::<Vec<_>>())
    };
    assert_eq!(found().await, (Status::Pass, Vec::new()));

    elsewhere.sql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'held'");
    let writer = elsewhere.application().await;
    writer.batch("BEGIN; INSERT INTO public.t VALUES (2)").await.unwrap();
    // One that only reads keeps no slot waiting.
    let reader = Session::connect(&elsewhere.url(), "reader").await.unwrap();
    reader.batch("BEGIN; SELECT * FROM public.t").await.unwrap();
    let (status, seen) = loop {
        let found = found().await;
        if found.1.len() >= 4 {
            break found;
        }
    };
    assert_eq!((status, seen.len()), (Status::Warn, 4), "{seen:#?}");
    let database = &elsewhere.database;
    for place in ["shop", "shop-green"] {
        for who in [format!("of `app {database}`"), "a prepared transaction of `".to_owned()] {
            let told = seen.iter().filter(|text| {
                text.contains(&who) && text.contains(&format!("in the database {database} of `{place}`"))
            });
            assert_eq!(told.count(), 1, "{who} of {place}: {seen:#?}");
        }
    }
    elsewhere.sql("ROLLBACK PREPARED 'held'");

    // Whoever leads several may have forgotten one; what is led with it is not named.
    let mut both = means.clone();
    let led = || ("users".to_owned(), elsewhere.url());
    both.ends.push(Ends {
        database: "users".to_owned(),
        places: [led(), led()],
        replication: Arc::new(Streams::default()),
    });
    let report = preflight(&course(Purpose::Flip), &both).await.unwrap();
    assert_eq!(report.check("other-databases").unwrap().findings, []);
    let forgotten = Side::on(server);
    let report = preflight(&course(Purpose::Flip), &both).await.unwrap();
    let others = report.check("other-databases").unwrap();
    assert_eq!(others.status, Status::Warn, "{others:?}");
    assert!(others.findings[0].seen.ends_with(&format!(": {}", forgotten.database)), "{others:?}");
}
