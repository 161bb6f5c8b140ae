//! Events that cannot be projected: by the projection's word, by a panic, by a constraint of the table.

use atalaya_cqrs::projection::{OnPoison, ProjectionError, Projector, Turn};
use atalaya_eventstore::{Position, Tables, Value};

use crate::account::{Balances, letters, pay_in};
use crate::ground::{Ground, number, rows};

fn superstitious(version: u32, on_poison: OnPoison) -> Balances {
    Balances { version, on_poison, thirteen_is_fine: false }
}

async fn catch_up(projector: &Projector) {
    while let Turn::To(_) = projector.turn().await.unwrap() {}
}

async fn trails(tables: &Tables, table: &str) -> Vec<Vec<Value>> {
    rows(tables, &format!("SELECT account, trail FROM {table} ORDER BY account")).await
}

fn trail(account: &str, trail: &str) -> Vec<Value> {
    vec![Value::from(account), Value::from(trail)]
}

async fn one_that_stops_goes_on_where_it_stopped_once_it_is_mended(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    tables.run(vec![letters()]).await.unwrap();
    for amount in [1, 13, 2] {
        pay_in(&store, "a", amount).await;
    }
    let broken = Projector::open(store.clone(), tables.clone(), superstitious(1, OnPoison::Stop)).await.unwrap();
    let stopped = broken.turn().await;
    let at = Position::new(2);
    assert!(matches!(&stopped, Err(ProjectionError::Poisoned { position, .. }) if *position == at), "{stopped:?}");
    let mended = Projector::open(store, tables.clone(), Balances::version(1)).await.unwrap();
    catch_up(&mended).await;
    assert_eq!(trails(&tables, "balance").await, [trail("account-a", "1;13;2;")]);
}

async fn a_key_that_is_set_aside_keeps_its_order_and_no_other_waits(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    tables.run(vec![letters()]).await.unwrap();
    for (account, amount) in [("a", 1), ("b", 2), ("a", 13), ("b", 3), ("a", 4), ("c", 666), ("d", 2_000_000)] {
        pay_in(&store, account, amount).await;
    }
    let broken = Projector::open(store.clone(), tables.clone(), superstitious(1, OnPoison::ParkKey)).await.unwrap();
    catch_up(&broken).await;
    // One that comes later is set aside too.
    pay_in(&store, "a", 5).await;
    catch_up(&broken).await;
    assert_eq!(trails(&tables, "balance").await, [trail("account-a", "1;"), trail("account-b", "2;3;")]);
    let status = broken.status().await.unwrap();
    assert_eq!((status.lag, status.parked), (0, 5));
    assert_eq!(broken.retry_parked("account-a").await.unwrap(), 0);
    // A rebuild by the same rules ends in the same rows.
    let rebuilt = Projector::open(store.clone(), tables.clone(), superstitious(2, OnPoison::ParkKey)).await.unwrap();
    catch_up(&rebuilt).await;
    assert_eq!(trails(&tables, "balance__v2").await, trails(&tables, "balance").await);
    assert_eq!(rebuilt.status().await.unwrap().parked, 5);
    let mended =
        Projector::open(store, tables.clone(), Balances { on_poison: OnPoison::ParkKey, ..Balances::version(1) });
    let mended = mended.await.unwrap();
    assert_eq!(mended.retry_parked("account-a").await.unwrap(), 3);
    assert_eq!(trails(&tables, "balance").await[0], trail("account-a", "1;13;4;5;"));
    assert_eq!(mended.status().await.unwrap().parked, 2);
    // What they cause came with them.
    assert_eq!(number(&tables, "SELECT count(*) FROM letters").await, 6);
}

async fn a_version_that_would_leave_side_effects_behind_waits_until_they_have_happened(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    tables.run(vec![letters()]).await.unwrap();
    for amount in [1, 13, 2] {
        pay_in(&store, "a", amount).await;
    }
    let live = Projector::open(store.clone(), tables.clone(), superstitious(1, OnPoison::ParkKey)).await.unwrap();
    catch_up(&live).await;
    let next = Projector::open(store.clone(), tables.clone(), Balances::version(2)).await.unwrap();
    catch_up(&next).await;
    let owed = next.swap_in().await;
    assert!(matches!(owed, Err(ProjectionError::NotNow { .. })), "{owed:?}");
    let mended = Balances { on_poison: OnPoison::ParkKey, ..Balances::version(1) };
    let mended = Projector::open(store.clone(), tables.clone(), mended).await.unwrap();
    assert_eq!(mended.retry_parked("account-a").await.unwrap(), 2);
    assert!(next.swap_in().await.unwrap());
    assert_eq!(mended.turn().await.unwrap(), Turn::Retired);
    pay_in(&store, "a", 3).await;
    catch_up(&next).await;
    assert_eq!(trails(&tables, "balance").await, [trail("account-a", "1;13;2;3;")]);
    let written = rows(&tables, "SELECT position FROM letters ORDER BY position").await;
    assert_eq!(written, (1..=4).map(|position| vec![Value::Integer(position)]).collect::<Vec<_>>());
}

atalaya_sandbox::on_every_backend! {
    one_that_stops_goes_on_where_it_stopped_once_it_is_mended
    a_key_that_is_set_aside_keeps_its_order_and_no_other_waits
    a_version_that_would_leave_side_effects_behind_waits_until_they_have_happened
}
