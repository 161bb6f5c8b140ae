//! Each event counts once, whatever becomes of those who project it.

use std::time::Duration;

use atalaya_cqrs::projection::{ProjectionError, Projector, Turn};
use atalaya_eventstore::{Position, Statement, Value};
use tokio::sync::watch;

use crate::account::{Balances, letters, pay_in};
use crate::ground::{Ground, number};

async fn projectors_that_are_broken_off_and_get_in_each_others_way_count_nothing_twice(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    tables.run(vec![letters()]).await.unwrap();
    let mut last = Position::START;
    let mut sum = 0;
    for amount in 1..=120 {
        last = pay_in(&store, &format!("a{}", amount % 7), amount).await;
        sum += amount;
    }
    // Broken off at places that differ from round to round.
    for round in 0..20 {
        let projector =
            Projector::open(ground.store().await, ground.tables().await, Balances::version(1)).await.unwrap();
        let task = tokio::spawn(async move { while let Turn::To(_) = projector.turn().await.unwrap() {} });
        tokio::time::sleep(Duration::from_micros(300 * round)).await;
        task.abort();
        let _broken_off = task.await;
    }
    let [one, two] = [0, 1].map(|_| async {
        let projector =
            Projector::open(ground.store().await, ground.tables().await, Balances::version(1)).await.unwrap();
        loop {
            match projector.turn().await {
                Ok(Turn::To(_)) | Err(ProjectionError::Contended { .. }) => {}
                Ok(_) => return,
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    tokio::join!(one, two);
    let projector = Projector::open(store, tables.clone(), Balances::version(1)).await.unwrap();
    projector.wait_for(last, Duration::from_secs(60)).await.unwrap();
    assert_eq!(number(&tables, "SELECT CAST(sum(balance) AS bigint) FROM balance").await, sum);
    assert_eq!(number(&tables, "SELECT CAST(sum(movements) AS bigint) FROM balance").await, 120);
    assert_eq!(number(&tables, "SELECT count(*) FROM letters").await, 120);
    let status = projector.status().await.unwrap();
    assert_eq!((status.live, status.lag, status.parked), (true, 0, 0));
}

async fn what_one_has_written_can_be_read_once_it_was_waited_for(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    tables.run(vec![letters()]).await.unwrap();
    let projector = Projector::open(store.clone(), ground.tables().await, Balances::version(1)).await.unwrap();
    let reader = Projector::open(store.clone(), tables.clone(), Balances::version(1)).await.unwrap();
    let behind = reader.wait_for(Position::new(1), Duration::ZERO).await;
    assert!(matches!(behind, Err(ProjectionError::Behind { .. })), "{behind:?}");
    let (stop, stopped) = watch::channel(false);
    let following = tokio::spawn(async move { projector.follow(stopped).await.unwrap() });
    for amount in 1..=5 {
        let position = pay_in(&store, "a", amount).await;
        reader.wait_for(position, Duration::from_secs(60)).await.unwrap();
        let balance = number(&tables, "SELECT balance FROM balance").await;
        assert_eq!(balance, amount * (amount + 1) / 2);
    }
    stop.send(true).unwrap();
    following.await.unwrap();
}

async fn tables_of_a_journal_that_was_restored_are_refused(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    let projector = Projector::open(store, tables.clone(), Balances::version(1)).await.unwrap();
    let sql = "UPDATE atalaya_projections SET checkpoint = $1";
    tables.run(vec![Statement::new(sql, vec![Value::Integer(5)]).touching(1)]).await.unwrap();
    assert!(matches!(projector.turn().await, Err(ProjectionError::BeyondHead { .. })));
    // One that has grown beyond it since has another event there.
    for amount in 1..=6 {
        pay_in(&ground.store().await, "a", amount).await;
    }
    assert!(matches!(projector.turn().await, Err(ProjectionError::OtherHistory { .. })));
}

atalaya_sandbox::on_every_backend! {
    projectors_that_are_broken_off_and_get_in_each_others_way_count_nothing_twice
    what_one_has_written_can_be_read_once_it_was_waited_for
    tables_of_a_journal_that_was_restored_are_refused
}
