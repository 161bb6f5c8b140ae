//! What commands wait for: nobody is let go on, or led away, to a server that does not let him in yet.

use std::sync::Arc;

use atalaya_cutover::switch::prepare;
use atalaya_cutover::{CommandGate, Course, Outcome, Purpose, TrafficGate};
use atalaya_postgres::Session;

use crate::commands::{Hand, led};
use crate::ground::{Ground, NEW, OLD, Side, back, course};
use crate::late::sleeps_at;

/// Somebody who holds what a server has to write to let clients in.
async fn hold_up(side: &Side) -> Session {
    let holder = Session::connect(&side.url(), "atalaya test").await.unwrap();
    holder.batch("BEGIN; LOCK atalaya.fence IN ACCESS EXCLUSIVE MODE").await.unwrap();
    holder
}

/// Until a second attempt to let clients in waits: whatever went beside the first one has been done by then.
async fn until_tried_twice(side: &Side) {
    let waiting =
        "SELECT coalesce(max(pid), 0) FROM pg_locks WHERE NOT granted AND relation = 'atalaya.fence'::regclass";
    let mut first: Option<String> = None;
    loop {
        let pid = side.sql(waiting).trim().to_owned();
        match &first {
            None if pid != "0" => first = Some(pid),
            Some(first) if pid != "0" && pid != *first => return,
            _ => {}
        }
        tokio::task::yield_now().await;
    }
}

/// A course whose server is held up once its decision stands: what was run before that and behind it.
async fn held_up_at(ground: &Ground, side: &Side, place: &'static str, course: Course) -> [Vec<String>; 2] {
    let hand = Hand::new();
    let mut means = ground.means("one", &[]).await;
    let gate = CommandGate::new(means.routes.clone(), course.clone(), hand.commands("true", "true", "true"));
    let gate = Arc::new(gate);
    let (failpoints, mut sleeper) = sleeps_at(place);
    (means.failpoints, means.gates) = (failpoints, vec![Arc::clone(&gate) as Arc<dyn TrafficGate>]);
    let running = tokio::spawn(prepare(course, means).await.unwrap().run());
    sleeper.fell_asleep.recv().await.unwrap();
    let holder = hold_up(side).await;
    sleeper.wake.send(()).unwrap();
    until_tried_twice(side).await;
    let before = hand.said();
    assert!(gate.is_armed(), "{place}: this process may be ended, and clients are kept out");
    holder.batch("COMMIT").await.unwrap();
    running.await.unwrap().unwrap();
    assert!(!gate.is_armed() && gate.was_armed(), "{place}");
    [before, hand.said()]
}

async fn a_release_is_run_behind_the_lift_and_nothing_ends_the_process_before(ground: &Ground) {
    let rehearsal = course(Purpose::Rehearse);
    let [before, behind] = held_up_at(ground, &ground.old, "cutover-closed", rehearsal).await;
    assert_eq!(before, ["hold shop-to-18 shop shop-green forward 1"]);
    assert_eq!(behind, ["release shop-to-18 shop shop-green forward 1"]);
    ground.expect_served_by(OLD, &[]).await;
}

async fn a_switch_is_run_behind_the_admission_and_nothing_ends_the_process_before(ground: &Ground) {
    let hand = Hand::new();
    let there = led(ground, course(Purpose::Flip), hand.commands("true", "true", "true")).await.unwrap();
    assert_eq!(there.outcome, Outcome::Flipped);
    ground.expect_served_by(NEW, &[]).await;
    // The fence of then stands there still.
    let [before, behind] = held_up_at(ground, &ground.old, "cutover-flipped", back()).await;
    assert_eq!(before, ["hold shop-to-18 shop-green shop back 2"]);
    assert_eq!(behind, ["switch shop-to-18 shop-green shop back 2"]);
    assert!(ground.old.is_writable().await && !ground.new.is_writable().await);
}

atalaya_sandbox::on_every_backend! {
    a_release_is_run_behind_the_lift_and_nothing_ends_the_process_before
    a_switch_is_run_behind_the_admission_and_nothing_ends_the_process_before
}
