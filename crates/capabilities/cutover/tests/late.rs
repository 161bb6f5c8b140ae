//! A coordinator that sleeps in the middle and wakes when others have decided.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use atalaya_control::Failpoints;
use atalaya_cutover::switch::{prepare, resume};
use atalaya_cutover::{Error, Purpose};

use crate::ground::{Ground, OLD, begun, course};

/// Where it sleeps: before it fences, and before it flips.
const SLEEPS: [&str; 3] = ["cutover-armed", "cutover-fenced", "cutover-flipping"];

pub(crate) struct Sleeper {
    pub(crate) fell_asleep: tokio::sync::mpsc::UnboundedReceiver<()>,
    pub(crate) wake: mpsc::Sender<()>,
}

pub(crate) fn sleeps_at(place: &'static str) -> (Failpoints, Sleeper) {
    let (told, fell_asleep) = tokio::sync::mpsc::unbounded_channel();
    let (wake, woken) = mpsc::channel::<()>();
    let woken = Mutex::new(woken);
    let failpoints = Failpoints::new(move |reached| {
        if reached == place {
            let _gone = told.send(());
            let _woken = tokio::task::block_in_place(|| woken.lock().unwrap().recv());
        }
    });
    (failpoints, Sleeper { fell_asleep, wake })
}

async fn one_that_wakes_after_the_lease_neither_fences_nor_flips(ground: &Ground) {
    let gates = ground.gates().await;
    for place in SLEEPS {
        let (failpoints, mut sleeper) = sleeps_at(place);
        let mut means = ground.means("sleeper", &gates).await;
        (means.failpoints, means.limits.max_pause) = (failpoints, Duration::from_secs(4));
        let running = tokio::spawn(prepare(course(Purpose::Flip), means).await.unwrap().run());
        sleeper.fell_asleep.recv().await.unwrap();
        // Its gates let clients in again.
        ground.expect_served_by(OLD, &gates).await;
        sleeper.wake.send(()).unwrap();
        let failed = running.await.unwrap().unwrap_err();
        assert!(
            matches!(failed, Error::Fence(_) | Error::Closed { .. } | Error::OutOfTime { .. }),
            "{place}: {failed:?}"
        );
        ground.expect_served_by(OLD, &gates).await;
    }
}

async fn one_that_wakes_after_another_took_over_neither_fences_nor_flips(ground: &Ground) {
    let gates = ground.gates().await;
    for (floor, place) in SLEEPS.into_iter().enumerate() {
        let (failpoints, mut sleeper) = sleeps_at(place);
        let mut means = ground.means("sleeper", &gates).await;
        (means.failpoints, means.limits.max_pause) = (failpoints, Duration::from_secs(60));
        let running = tokio::spawn(prepare(course(Purpose::Flip), means).await.unwrap().run());
        sleeper.fell_asleep.recv().await.unwrap();
        let other = ground.means("other", &gates).await;
        resume(&begun(course(Purpose::Flip), u64::try_from(floor).unwrap()), &other).await.unwrap();
        ground.expect_served_by(OLD, &gates).await;
        sleeper.wake.send(()).unwrap();
        let failed = running.await.unwrap().unwrap_err();
        assert!(matches!(failed, Error::Fence(_) | Error::Closed { .. }), "{place}: {failed:?}");
        ground.expect_served_by(OLD, &gates).await;
    }
}

async fn of_two_at_once_one_is_refused_and_one_server_is_writable(ground: &Ground) {
    let gates = ground.gates().await;
    let one = prepare(course(Purpose::Flip), ground.means("one", &gates).await).await.unwrap();
    let other = prepare(course(Purpose::Flip), ground.means("other", &gates).await).await.unwrap();
    let (first, second) = tokio::join!(one.run(), other.run());
    let flipped = usize::from(first.is_ok()) + usize::from(second.is_ok());
    assert_eq!(flipped, 1, "{first:?} {second:?}");
    ground.expect_served_by(crate::ground::NEW, &gates).await;
}

/// Somebody holds what a lift has to write: the command ends all the same, and says what is left to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_lift_is_not_waited_for_without_end() {
    let ground = &Ground::sqlite();
    let gates = ground.gates().await;
    for gate in &gates {
        gate.refuse("settle");
    }
    let (failpoints, mut sleeper) = sleeps_at("cutover-closed");
    let mut means = ground.means("one", &gates).await;
    (means.failpoints, means.limits.max_pause) = (failpoints, Duration::from_secs(300));
    let running = tokio::spawn(prepare(course(Purpose::Rehearse), means).await.unwrap().run());
    sleeper.fell_asleep.recv().await.unwrap();
    let holder = atalaya_postgres::Session::connect(&ground.old.url(), "atalaya test").await.unwrap();
    holder.batch("BEGIN; LOCK atalaya.fence IN ACCESS EXCLUSIVE MODE").await.unwrap();
    sleeper.wake.send(()).unwrap();
    let failed = tokio::time::timeout(Duration::from_secs(120), running).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(failed, Error::Unlifted { .. }), "{failed:?}");
    drop(holder);
}

atalaya_sandbox::on_every_backend! {
    one_that_wakes_after_the_lease_neither_fences_nor_flips
    one_that_wakes_after_another_took_over_neither_fences_nor_flips
    of_two_at_once_one_is_refused_and_one_server_is_writable
}
