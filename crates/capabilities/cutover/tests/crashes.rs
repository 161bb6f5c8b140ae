//! A coordinator that is gone at each place, and another one that takes up what it has left, or only gates that do.

use std::sync::Arc;
use std::time::Duration;

use atalaya_control::Failpoints;
use atalaya_cutover::switch::{FAILPOINTS, Resumed, prepare, resume};
use atalaya_cutover::{Courses, Means, Outcome, Purpose};

use crate::ground::{Ground, NEW, OLD, begun, course};
use crate::hand::TestGate;

/// Runs a coordinator until it is gone at a place; false where it never came there.
pub(crate) async fn run_until(place: &'static str, courses: impl Into<Courses>, mut means: Means) -> bool {
    means.failpoints = Failpoints::new(move |reached| {
        if reached == place {
            // Nothing behind it happens, and its connections end.
            std::panic::resume_unwind(Box::new("gone"));
        }
    });
    let prepared = prepare(courses, means).await.unwrap();
    match tokio::spawn(prepared.run()).await {
        Ok(_) => false,
        Err(error) => error.is_panic(),
    }
}

/// The place that a killed coordinator's epoch leads to: only what was decided counts.
async fn decided_place(ground: &Ground) -> &'static str {
    let led = ground.routes().await.standing(OLD).await.unwrap().leads_to;
    if led.is_some_and(|led| led.to == NEW) { NEW } else { OLD }
}

pub(crate) fn purpose_of(place: &str) -> Purpose {
    // Places of the way out are come by in a rehearsal.
    if ["cutover-closing", "cutover-closed", "cutover-lifted"].contains(&place) {
        Purpose::Rehearse
    } else {
        Purpose::Flip
    }
}

async fn whoever_takes_up_what_is_left_ends_with_one_writable_server(ground: &Ground) {
    let gates = ground.gates().await;
    let mut floor = 0;
    for place in FAILPOINTS {
        let purpose = purpose_of(place);
        assert!(run_until(place, course(purpose), ground.means("one", &gates).await).await, "{place}");
        let other = ground.means("other", &gates).await;
        let resumed = resume(&begun(course(purpose), floor), &other).await.unwrap();
        match resumed {
            Resumed::NotBegun => assert_eq!(place, "cutover-opening"),
            Resumed::Ended(reports) => {
                let flipped = decided_place(ground).await == NEW;
                assert_eq!(reports.len(), 1, "{place}");
                assert_eq!(reports[0].outcome == Outcome::Flipped, flipped, "{place}");
                assert!(reports[0].resumed);
            }
        }
        let now = decided_place(ground).await;
        ground.expect_served_by(now, &gates).await;
        if now == NEW {
            lead_back(ground, &gates).await;
        }
        floor = ground.routes().await.standing(OLD).await.unwrap().last_epoch;
    }
}

async fn lead_back(ground: &Ground, gates: &[Arc<TestGate>]) {
    let means = ground.means("back", gates).await;
    prepare(crate::ground::back(), means).await.unwrap().run().await.unwrap();
    // Both sides as in the beginning.
    let standing = ground.routes().await.standing(OLD).await.unwrap();
    let url = ground.new.url();
    let session = atalaya_postgres::Session::connect(&url, "atalaya test").await.unwrap();
    atalaya_cutover::fence::lift_standing(&session, OLD, standing.last_epoch).await.unwrap();
}

/// Nobody comes: gates close the epoch when its lease is over, and let clients in again.
async fn gates_alone_end_with_one_writable_server(ground: &Ground) {
    let gates = ground.gates().await;
    for place in ["cutover-armed", "cutover-fenced", "cutover-sequences-set", "cutover-flipping", "cutover-flipped"] {
        let mut means = ground.means("one", &gates).await;
        means.limits.max_pause = Duration::from_secs(4);
        assert!(run_until(place, course(Purpose::Flip), means).await, "{place}");
        for gate in &gates {
            gate.until_open().await;
        }
        let now = decided_place(ground).await;
        assert_eq!(now == NEW, place == "cutover-flipped", "{place}");
        ground.expect_served_by(now, &gates).await;
    }
}

atalaya_sandbox::on_every_backend! {
    whoever_takes_up_what_is_left_ends_with_one_writable_server
    gates_alone_end_with_one_writable_server
}
