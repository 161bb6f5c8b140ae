//! Processes that die or freeze between what they did and what they wrote down.

use std::time::Duration;

use atalaya_saga::{End, Phase};
use nix::sys::signal::Signal;

use crate::child::{Driving, definition};
use crate::ground::{Ground, start};
use crate::target::Target;

async fn a_kill_between_effect_and_record_has_one_effect(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(definition(&target, None, "done")).await;
    let id = start(&sagas, "order", "o1").await;
    Driving::start(ground, &target, "o1/b", "done").kill();
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), Phase::Ended { end: End::Completed });
    assert_eq!(target.requests(), ["o1/a", "o1/b", "o1/b", "o1/last"]);
    assert_eq!(target.effects(), 3);
}

async fn a_kill_between_two_compensations_goes_on_backwards(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(definition(&target, None, "refused")).await;
    let id = start(&sagas, "order", "o1").await;
    Driving::start(ground, &target, "o1/b/undo", "refused").kill();
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), Phase::Ended { end: End::Compensated });
    assert_eq!(target.requests(), ["o1/a", "o1/b", "o1/b/undo", "o1/b/undo", "o1/a/undo"]);
    assert_eq!(target.effects(), 4);
}

async fn one_that_was_frozen_for_longer_than_its_lease_writes_nothing_more(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(definition(&target, None, "done")).await;
    let id = start(&sagas, "order", "o1").await;
    let frozen = Driving::start(ground, &target, "o1/b", "done");
    frozen.signal(Signal::SIGSTOP);
    // Waits for the lease to end, and takes the saga over.
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), Phase::Ended { end: End::Completed });
    let history = ground.history(&id).await;
    std::fs::write(target.flag("go on"), "").unwrap();
    frozen.signal(Signal::SIGCONT);
    frozen.wait();
    assert_eq!(std::fs::read_to_string(target.flag("ended")).unwrap(), "Ended { end: Completed }");
    assert_eq!(ground.history(&id).await, history);
    assert_eq!(history.iter().filter(|name| *name == "SagaStepDone").count(), 3);
    assert_eq!(target.effects(), 3);
}

async fn one_that_is_alive_keeps_its_saga_beyond_the_lease(ground: &Ground) {
    // Renewed every third of it: what is left is for a machine that gives a process no time.
    const LEASE: Duration = Duration::from_secs(15);
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(definition(&target, None, "done")).await;
    let id = start(&sagas, "order", "o1").await;
    let alive = Driving::leased(ground, &target, "o1/b", "done", LEASE);
    let taking = tokio::spawn({
        let (sagas, id) = (sagas.clone(), id.clone());
        async move { sagas.drive_to_end(&id).await.unwrap() }
    });
    // Until its lease would have ended, had it not been renewed.
    let claimed_us = ground.times_us(&id, "SagaClaimed").await[0];
    let over_us = claimed_us + i64::try_from(LEASE.as_micros()).unwrap();
    while ground.times_us(&id, "SagaRenewed").await.last().is_none_or(|renewed_us| *renewed_us < over_us) {
        assert_eq!(ground.times_us(&id, "SagaClaimed").await.len(), 1, "somebody else has taken it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(target.requests(), ["o1/a", "o1/b"]);
    std::fs::write(target.flag("go on"), "").unwrap();
    alive.wait();
    assert_eq!(taking.await.unwrap(), Phase::Ended { end: End::Completed });
    assert_eq!(target.requests(), ["o1/a", "o1/b", "o1/last"]);
    assert_eq!(ground.history(&id).await.iter().filter(|name| *name == "SagaClaimed").count(), 1);
}

atalaya_sandbox::on_every_backend! {
    a_kill_between_effect_and_record_has_one_effect
    a_kill_between_two_compensations_goes_on_backwards
    one_that_was_frozen_for_longer_than_its_lease_writes_nothing_more
    one_that_is_alive_keeps_its_saga_beyond_the_lease
}
