//! Commands to one aggregate by many at once, and what listeners hear.

use atalaya_cqrs::{Aggregates, Bus, CommandError, Heard};

use crate::account::{Account, Moved, NotEnough, pay_in};
use crate::ground::Ground;

fn pay_out(amount: i64) -> impl Fn(&Account) -> Result<Vec<Moved>, NotEnough> {
    move |account| if account.balance < amount { Err(NotEnough) } else { Ok(vec![Moved::Out(amount)]) }
}

async fn of_many_at_once_only_those_that_the_aggregate_allows_are_carried_out(ground: &Ground) {
    let store = ground.store().await;
    pay_in(&store, "a", 30).await;
    let accounts = Aggregates::<Account>::new(store);
    let tasks = (0..8).map(|_| {
        let accounts = accounts.clone();
        tokio::spawn(async move { accounts.execute("a", pay_out(10)).await })
    });
    let (mut paid, mut refused) = (0, 0);
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(_) => paid += 1,
            Err(CommandError::Refused(NotEnough)) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((paid, refused), (3, 5));
    let loaded = accounts.load::<NotEnough>("a").await.unwrap();
    assert_eq!(loaded.state, Account { balance: 0, movements: 4 });
    let nothing = accounts.execute("a", |_| Ok::<_, NotEnough>(Vec::new())).await.unwrap();
    assert!(nothing.appended.is_none());
}

async fn a_command_that_comes_again_is_carried_out_once_whatever_the_aggregate_is_by_then(ground: &Ground) {
    let store = ground.store().await;
    let before = pay_in(&store, "a", 10).await;
    let asked = (0..8).map(|_| {
        let (store, known_by) = (store.clone(), "message 1");
        tokio::spawn(async move { Aggregates::<Account>::new(store).execute_once("a", known_by, pay_out(10)).await })
    });
    for task in asked.collect::<Vec<_>>() {
        let executed = task.await.unwrap().unwrap();
        assert_eq!(executed.state.balance, 0);
        assert_eq!(executed.appended.unwrap().last, before.next());
    }
    let accounts = Aggregates::<Account>::new(ground.store().await).with_snapshots_every(1);
    accounts.execute("a", |_| Ok::<_, NotEnough>(vec![Moved::In(5)])).await.unwrap();
    let again = accounts.execute_once("a", "message 1", pay_out(10)).await.unwrap();
    assert!(again.appended.unwrap().repeated);
    assert_eq!(again.state, Account { balance: 5, movements: 3 });
    // Another message asks for another command, and one that was refused may be allowed later.
    let refused = accounts.execute_once("a", "message 2", pay_out(10)).await;
    assert!(matches!(refused, Err(CommandError::Refused(NotEnough))), "{refused:?}");
    pay_in(&store, "a", 5).await;
    assert_eq!(accounts.execute_once("a", "message 2", pay_out(10)).await.unwrap().state.balance, 0);
    // The same message about another aggregate is another command.
    pay_in(&store, "b", 10).await;
    assert_eq!(accounts.execute_once("b", "message 1", pay_out(10)).await.unwrap().state.balance, 0);
}

async fn a_snapshot_shortens_the_reading_and_changes_nothing(ground: &Ground) {
    let store = ground.store().await;
    let with = Aggregates::<Account>::new(store.clone()).with_snapshots_every(3);
    for amount in 1..=7 {
        with.execute("a", |_| Ok::<_, NotEnough>(vec![Moved::In(amount)])).await.unwrap();
    }
    let stream = Aggregates::<Account>::stream("a").unwrap();
    assert_eq!(store.snapshot(&stream, "account 1").await.unwrap().unwrap().version, 6);
    assert!(store.snapshot(&stream, "account 2").await.unwrap().is_none());
    let without = Aggregates::<Account>::new(store).load::<NotEnough>("a").await.unwrap();
    let with = with.load::<NotEnough>("a").await.unwrap();
    assert_eq!((with.state, with.version), (without.state, without.version));
}

async fn listeners_hear_each_event_once_in_order_and_are_told_what_they_missed(ground: &Ground) {
    let store = ground.store().await;
    pay_in(&store, "a", 1).await;
    let bus = Bus::start(ground.store().await, 4).await.unwrap();
    let mut listener = bus.listen();
    let mut slow = bus.listen();
    for amount in 2..=9 {
        let position = pay_in(&store, "a", amount).await;
        let Heard::Event(event) = listener.next().await else { panic!("nothing was heard") };
        assert_eq!(event.position, position);
    }
    assert!(matches!(slow.next().await, Heard::Missed(4)));
    assert!(matches!(slow.next().await, Heard::Event(event) if event.position.number() == 6));
}

atalaya_sandbox::on_every_backend! {
    of_many_at_once_only_those_that_the_aggregate_allows_are_carried_out
    a_command_that_comes_again_is_carried_out_once_whatever_the_aggregate_is_by_then
    a_snapshot_shortens_the_reading_and_changes_nothing
    listeners_hear_each_event_once_in_order_and_are_told_what_they_missed
}
