//! The database's clock is set back: SQLite's is that of the process that writes, a server has its own.

use std::ffi::OsString;

use atalaya_saga::{End, Phase};
use atalaya_sandbox::Clock;

use crate::child::{Driving, definition};
use crate::ground::{Ground, start};
use crate::target::Target;

/// Whoever had it last wrote an hour after what the clock says by now, and is dead.
async fn a_dead_owner_is_followed(ground: &Ground, clock: &Clock, owner: &[(&'static str, OsString)]) {
    clock.set(3600).unwrap();
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(definition(&target, None, "done")).await;
    let id = start(&sagas, "order", "o1").await;
    Driving::start_in(ground, &target, owner, "o1/b done").kill();
    clock.set(0).unwrap();
    let ahead = sagas.show(&id).await.unwrap();
    assert!(ahead.owner.is_some());
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), Phase::Ended { end: End::Completed });
    assert_eq!(target.requests(), ["o1/a", "o1/b", "o1/b", "o1/last"]);
    assert_eq!(target.effects(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_owner_is_followed_within_its_lease_after_the_clock_was_set_back_an_hour_on_sqlite() {
    let clock = Clock::right().unwrap();
    a_dead_owner_is_followed(&Ground::sqlite(), &clock, &clock.environment()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_owner_is_followed_within_its_lease_after_the_clock_was_set_back_an_hour_on_postgres() {
    let clock = Clock::right().unwrap();
    a_dead_owner_is_followed(&Ground::postgres_by(&clock), &clock, &[]).await;
}
