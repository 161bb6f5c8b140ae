//! A later version beside the live one.

use atalaya_cqrs::projection::{ProjectionError, Projector, Turn};
use tokio::sync::watch;

use crate::account::{Balances, letters, pay_in};
use crate::ground::{Ground, number, rows};

async fn a_version_built_under_writes_takes_over_and_writes_no_letter_twice(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    tables.run(vec![letters()]).await.unwrap();
    for amount in 1..=50 {
        pay_in(&store, "a", amount).await;
    }
    let live = Projector::open(store.clone(), ground.tables().await, Balances::version(1)).await.unwrap();
    while let Turn::To(_) = live.turn().await.unwrap() {}
    let (_keep, never) = watch::channel(false);
    let following = tokio::spawn(async move { live.follow(never).await });
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for amount in 51..=150 {
                pay_in(&store, "a", amount).await;
            }
        }
    });
    // Broken off once, and begun again.
    for last in [false, true] {
        let next = Projector::open(store.clone(), ground.tables().await, Balances::version(2)).await.unwrap();
        let mut swapped = false;
        while !swapped {
            match next.turn().await.unwrap() {
                Turn::To(_) if !last => break,
                Turn::To(_) => {}
                Turn::UpToDate(_) => swapped = last && next.swap_in().await.unwrap(),
                Turn::Retired => panic!("it was never live"),
            }
            if !last {
                break;
            }
        }
    }
    // The one before finds that out by itself.
    match following.await.unwrap() {
        Ok(()) | Err(ProjectionError::Contended { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
    writing.await.unwrap();
    let live = Projector::open(store, tables.clone(), Balances::version(2)).await.unwrap();
    while let Turn::To(_) = live.turn().await.unwrap() {}
    assert!(live.status().await.unwrap().live);
    assert_eq!(number(&tables, "SELECT balance FROM balance").await, 150 * 151 / 2);
    assert_eq!(number(&tables, "SELECT movements FROM balance__v2").await, 150);
    let letters = rows(&tables, "SELECT position FROM letters ORDER BY position").await;
    let positions: Vec<i64> = letters.iter().map(|row| row[0].as_integer().unwrap()).collect();
    assert_eq!(positions, (1..=150).collect::<Vec<_>>());
    assert!(matches!(live.swap_in().await, Err(ProjectionError::NotNow { .. })));
}

async fn a_version_that_is_not_wanted_goes_and_the_live_one_stays(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    tables.run(vec![letters()]).await.unwrap();
    pay_in(&store, "a", 1).await;
    let live = Projector::open(store.clone(), tables.clone(), Balances::version(1)).await.unwrap();
    while let Turn::To(_) = live.turn().await.unwrap() {}
    let next = Projector::open(store, tables.clone(), Balances::version(2)).await.unwrap();
    while let Turn::To(_) = next.turn().await.unwrap() {}
    next.discard().await.unwrap();
    assert_eq!(number(&tables, "SELECT balance FROM balance").await, 1);
    assert!(matches!(live.discard().await, Err(ProjectionError::NotNow { .. })));
}

atalaya_sandbox::on_every_backend! {
    a_version_built_under_writes_takes_over_and_writes_no_letter_twice
    a_version_that_is_not_wanted_goes_and_the_live_one_stays
}
