//! Opening, closing, and what is no journal.

use atalaya_eventstore::{Error, Expected, Options, Place, Position, Statement, Store, Tables, Value};

use crate::ground::Ground;
use crate::making::{all, one};

on_every_backend! {
    a_journal_is_made_by_whoever_comes_first_of_many
    a_place_holds_a_journal_and_the_tables_beside_it
    a_journal_of_a_later_version_is_refused_untouched
    what_is_taken_is_answered_before_the_store_is_closed
    a_caller_that_goes_away_does_not_take_its_append_with_it
}

async fn a_journal_is_made_by_whoever_comes_first_of_many(ground: &Ground) {
    let opened = futures_util::future::join_all((0..8).map(|_| ground.open())).await;
    for store in &opened {
        store.append(one("a-1", Expected::Any)).await.unwrap();
    }
    assert_eq!(all(&opened[0]).await.len(), 8);
}

async fn a_place_holds_a_journal_and_the_tables_beside_it(ground: &Ground) {
    let text = match ground {
        Ground::Sqlite(_) => ground.file().parent().unwrap().display().to_string(),
        Ground::Postgres { server, database } => server.url(database),
    };
    let place: Place = text.parse().unwrap();
    let store = Store::open(&place, Options::default()).await.unwrap();
    store.append(one("a-1", Expected::None)).await.unwrap();
    assert_eq!(all(&ground.open().await).await.len(), 1);
    let tables = Tables::open(&place).await.unwrap();
    let statement = |sql: &str| Statement::new(sql, Vec::new());
    tables.run(vec![statement("CREATE TABLE t (n bigint)"), statement("INSERT INTO t VALUES (7)")]).await.unwrap();
    let again = Tables::open(&place).await.unwrap();
    assert_eq!(again.query(statement("SELECT n FROM t")).await.unwrap(), [[Value::Integer(7)]]);
}

async fn a_journal_of_a_later_version_is_refused_untouched(ground: &Ground) {
    ground.open().await.close().await;
    match ground {
        Ground::Sqlite(_) => ground.run_sql("PRAGMA user_version = 7"),
        Ground::Postgres { .. } => ground.run_sql("UPDATE format SET version = 7"),
    };
    match ground.open_with(Options::default()).await {
        Err(Error::Version { found: 7, known: 1 }) => {}
        other => panic!("{:?}", other.err()),
    }
}

async fn what_is_taken_is_answered_before_the_store_is_closed(ground: &Ground) {
    let store = ground.open().await;
    let mut appends = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        appends.spawn(async move { store.append(one("a-1", Expected::Any)).await });
    }
    store.clone().close().await;
    let made = appends.join_all().await.into_iter().filter(|answer| match answer {
        Ok(_) => true,
        Err(Error::Closed) => false,
        Err(error) => panic!("{error:?}"),
    });
    let made = made.count();
    assert!(matches!(store.append(one("a-1", Expected::Any)).await, Err(Error::Closed)));
    assert_eq!(all(&ground.open().await).await.len(), made);
}

async fn a_caller_that_goes_away_does_not_take_its_append_with_it(ground: &Ground) {
    let store = ground.open().await;
    for _ in 0..10 {
        let append = store.append(one("a-1", Expected::Any));
        tokio::select! {
            biased;
            _ = append => {}
            () = tokio::task::yield_now() => {}
        }
    }
    // Behind all of them in the queue.
    let last = store.append(one("a-1", Expected::Any)).await.unwrap();
    assert_eq!(last.last, Position::new(11));
}
