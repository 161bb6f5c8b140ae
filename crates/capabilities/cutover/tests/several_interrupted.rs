//! Two databases, and a coordinator that is gone in the middle, or sleeps while somebody else decides about one of them.

use std::sync::Arc;
use std::time::Duration;

use atalaya_cutover::switch::{Begun, FAILPOINTS, Resumed, prepare, resume};
use atalaya_cutover::{Courses, Cutovers, Direction, Error, Means, Outcome, Purpose, Report};

use crate::crashes::{purpose_of, run_until};
use crate::ground::{Ground, NEW, OLD, course};
use crate::hand::{Streams, TestGate};
use crate::late::sleeps_at;
use crate::saga::killed_at;
use crate::several::{At, Both, USERS, both, both_back, users};

/// Both behind the same epoch: they are always led together here.
fn begun(courses: &Courses, floor: u64) -> Vec<Begun> {
    courses.iter().map(|course| Begun { course: course.clone(), floor }).collect()
}

async fn whoever_takes_up_what_is_left_of_both_leads_both_or_neither(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    let mut floor = 0;
    for place in FAILPOINTS {
        let courses = both(purpose_of(place));
        assert!(run_until(place, courses.clone(), both_sides.means("one", &gates).await).await, "{place}");
        let other = both_sides.means("other", &gates).await;
        match resume(&begun(&courses, floor), &other).await.unwrap() {
            Resumed::NotBegun => assert_eq!(place, "cutover-opening"),
            Resumed::Ended(reports) => {
                let flipped = both_sides.led_to().await == At::New;
                let as_decided = |report: &Report| report.resumed && (report.outcome == Outcome::Flipped) == flipped;
                assert!(reports.len() == 2 && reports.iter().all(as_decided), "{place}: {reports:?}");
            }
        }
        let at = both_sides.led_to().await;
        both_sides.expect_served(at, &gates).await;
        if at == At::New {
            prepare(both_back(), both_sides.means("back", &gates).await).await.unwrap().run().await.unwrap();
            both_sides.open_the_new_ones().await;
        }
        floor = ground.routes().await.standing(OLD).await.unwrap().last_epoch;
    }
}

/// Nobody comes: gates close the epochs when a lease is over, and let clients in again.
async fn gates_alone_lead_both_or_neither(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    for place in ["cutover-armed", "cutover-fenced", "cutover-flipping", "cutover-flipped"] {
        let mut means = both_sides.means("one", &gates).await;
        means.limits.max_pause = Duration::from_secs(4);
        assert!(run_until(place, both(Purpose::Flip), means).await, "{place}");
        for gate in &gates {
            gate.until_open().await;
        }
        let at = if place == "cutover-flipped" { At::New } else { At::Old };
        both_sides.expect_served(at, &gates).await;
    }
}

/// A gate of one of them is the first whose lease is over: the other one is not led away either.
async fn a_lease_that_is_over_first_keeps_both_where_they_are(ground: &Ground) {
    let both_sides = Both::with(ground);
    for (place, of) in [("cutover-flipping", OLD), ("cutover-flipping", USERS), ("cutover-armed", USERS)] {
        let gates = both_sides.gates().await;
        let (failpoints, mut sleeper) = sleeps_at(place);
        let mut means = both_sides.means("one", &gates).await;
        (means.failpoints, means.limits.max_pause) = (failpoints, Duration::from_secs(60));
        let running = tokio::spawn(prepare(both(Purpose::Flip), means).await.unwrap().run());
        sleeper.fell_asleep.recv().await.unwrap();
        let routes = ground.routes().await;
        let open = routes.standing(of).await.unwrap().open.unwrap();
        routes.close(&open, "gate-3", "its lease was over").await.unwrap();
        assert_eq!(both_sides.led_to().await, At::Old, "{place}");
        sleeper.wake.send(()).unwrap();
        let failed = running.await.unwrap().unwrap_err();
        if place == "cutover-flipping" {
            assert!(matches!(&failed, Error::Closed { by, .. } if by == "gate-3"), "{failed:?}");
        }
        both_sides.expect_served(At::Old, &gates).await;
    }
}

/// A coordinator of one of them that is at work when both are asked for, and the other way round.
async fn one_that_is_led_alone_at_the_same_time_keeps_both_apart(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    let all = prepare(both(Purpose::Flip), both_sides.means("all", &gates).await).await.unwrap();
    let alone = prepare(users(Purpose::Flip), both_sides.means("alone", &gates).await).await.unwrap();
    let (all, alone) = tokio::join!(all.run(), alone.run());
    assert!(all.is_ok() != alone.is_ok(), "{all:?} {alone:?}");
    let routes = ground.routes().await;
    let led = |standing: atalaya_route::Standing| standing.leads_to.map(|led| led.to);
    let shop = led(routes.standing(OLD).await.unwrap());
    assert_eq!(shop.as_deref() == Some(NEW), all.is_ok());
    assert_eq!(led(routes.standing(USERS).await.unwrap()).as_deref(), Some("users-green"));
}

async fn run(means: Means, courses: Courses) -> Result<Vec<Report>, Error> {
    Cutovers::open(means).unwrap().run(courses).await
}

async fn another_process_brings_both_to_their_end(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    for (place, at) in [("cutover-fenced", At::Old), ("cutover-flipped", At::New)] {
        killed_at(place, both(Purpose::Flip), both_sides.means("one", &gates).await).await;
        let came = run(both_sides.means("other", &gates).await, both(Purpose::Flip)).await;
        match (at, came) {
            (At::Old, Err(Error::Interrupted { from })) => assert_eq!(from, "`shop` and `users`"),
            (At::New, Ok(reports)) => assert!(reports.len() == 2 && reports.iter().all(|report| report.resumed)),
            (_, came) => panic!("{place}: {came:?}"),
        }
        both_sides.expect_served(at, &gates).await;
    }
}

/// Whoever has the means for one of them only does not go on with it alone, whichever it is, before both are settled.
async fn what_was_left_of_both_is_not_taken_up_by_one(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    for (place, at) in [("cutover-armed", At::Old), ("cutover-flipped", At::New)] {
        killed_at(place, both(Purpose::Flip), both_sides.means("one", &gates).await).await;
        for (alone, kept) in [(course(Purpose::Flip), 0), (users(Purpose::Flip), 1)] {
            let refused = alone_of(&both_sides, &gates, kept).await.run(alone).await.unwrap_err();
            assert!(matches!(&refused, Error::OtherGroup { .. }) && refused.is_refusal(), "{place}: {refused:?}");
            let hint = refused.hint().unwrap();
            assert!(hint.contains("`atalaya migrate cutover shop-to-18 users-to-18`"), "{hint}");
        }
        let came = run(both_sides.means("other", &gates).await, both(Purpose::Flip)).await;
        assert_eq!(came.is_ok(), at == At::New, "{place}: {came:?}");
        both_sides.expect_served(at, &gates).await;
    }
    // Once they are settled, each goes on by itself.
    let back = crate::ground::back();
    alone_of(&both_sides, &gates, 0).await.run(back).await.unwrap();
    let routes = ground.routes().await;
    assert_eq!(routes.standing(OLD).await.unwrap().leads_to.unwrap().to, OLD);
    assert_eq!(routes.standing(USERS).await.unwrap().leads_to.unwrap().to, "users-green");
}

async fn alone_of(both_sides: &Both<'_>, gates: &[Arc<TestGate>], kept: usize) -> Cutovers {
    let mut means = both_sides.means("alone", gates).await;
    means.ends = vec![means.ends.remove(kept)];
    Cutovers::open(means).unwrap()
}

/// Nobody was held for it yet: it is given up, and never leads anybody away.
async fn what_was_left_of_both_before_anybody_was_held_is_in_nobodys_way(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    killed_at("cutover-opening", both(Purpose::Flip), both_sides.means("one", &gates).await).await;
    let reports = alone_of(&both_sides, &gates, 0).await.run(course(Purpose::Rehearse)).await.unwrap();
    assert_eq!(reports[0].outcome, Outcome::Rehearsed);
    both_sides.expect_served(At::Old, &gates).await;
    let reports = run(both_sides.means("other", &gates).await, both(Purpose::Flip)).await.unwrap();
    assert!(reports.iter().all(|report| !report.resumed));
    both_sides.expect_served(At::New, &gates).await;
}

/// What was left of one is ended first, and what was left of both, too, when they are asked to go back.
async fn what_is_asked_of_both_comes_after_what_was_left_of_either(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    let mut alone = both_sides.means("one", &gates).await;
    alone.ends.remove(0);
    killed_at("cutover-fenced", users(Purpose::Flip), alone).await;
    let reports = run(both_sides.means("other", &gates).await, both(Purpose::Rehearse)).await.unwrap();
    assert!(reports.iter().all(|report| report.outcome == Outcome::Rehearsed), "{reports:?}");
    both_sides.expect_served(At::Old, &gates).await;

    killed_at("cutover-flipped", both(Purpose::Flip), both_sides.means("one", &gates).await).await;
    let taken_over = Arc::default();
    let streams = Streams { taken_over: Arc::clone(&taken_over), ..Streams::default() };
    let reports = run(both_sides.means_with(&gates, streams).await, both_back()).await.unwrap();
    assert!(reports.iter().all(|report| report.outcome == Outcome::Flipped && !report.resumed), "{reports:?}");
    assert_eq!(*taken_over.lock().unwrap(), [Direction::Forward, Direction::Back]);
    assert_eq!(both_sides.led_to().await, At::Old);
}

atalaya_sandbox::on_every_backend! {
    whoever_takes_up_what_is_left_of_both_leads_both_or_neither
    gates_alone_lead_both_or_neither
    a_lease_that_is_over_first_keeps_both_where_they_are
    one_that_is_led_alone_at_the_same_time_keeps_both_apart
    another_process_brings_both_to_their_end
    what_was_left_of_both_is_not_taken_up_by_one
    what_was_left_of_both_before_anybody_was_held_is_in_nobodys_way
    what_is_asked_of_both_comes_after_what_was_left_of_either
}
