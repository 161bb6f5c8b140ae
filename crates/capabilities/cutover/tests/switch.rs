//! There and back, rehearsed, and broken off by whatever fails before the flip.

use std::sync::{Arc, Mutex};

use atalaya_cutover::switch::prepare;
use atalaya_cutover::{Course, Error, Means, Outcome, Purpose, Report, Unproven};

use crate::ground::{Ground, NEW, OLD, back, course};
use crate::hand::Streams;

async fn led(course: Course, means: &Means) -> Report {
    let reports = prepare(course, means.clone()).await.unwrap().run().await.unwrap();
    let [report] = <[Report; 1]>::try_from(reports).unwrap();
    assert!(report.with.is_empty());
    report
}

async fn clients_are_led_there_and_back_and_there_again(ground: &Ground) {
    let gates = ground.gates().await;
    let means = ground.means("one", &gates).await;
    ground.expect_served_by(OLD, &gates).await;
    for epoch in [1, 3, 5] {
        let report = led(course(Purpose::Flip), &means).await;
        assert_eq!((report.epoch, &report.outcome), (epoch, &Outcome::Flipped));
        assert_eq!((report.rows_proven, report.sequences), (7, 3));
        let stages: Vec<&str> = report.stages.iter().map(|stage| stage.stage.as_str()).collect();
        assert_eq!(stages, ["drain", "fence", "marker", "proof", "sequences", "recheck", "flip", "admit", "settle"]);
        assert_eq!(Report::last(means.routes.store(), OLD).await.unwrap(), Some(report));
        ground.expect_served_by(NEW, &gates).await;
        prepare(back(), means.clone()).await.unwrap().run().await.unwrap();
        assert!(!ground.new.is_writable().await);
        for gate in &gates {
            assert_eq!(gate.leads_to(OLD).as_deref(), Some(OLD));
        }
        assert!(ground.old.is_writable().await);
    }
}

async fn a_rehearsal_does_everything_but_the_flip(ground: &Ground) {
    let gates = ground.gates().await;
    let means = ground.means("one", &gates).await;
    for epoch in 1..4 {
        let report = led(course(Purpose::Rehearse), &means).await;
        assert_eq!((report.epoch, &report.outcome), (epoch, &Outcome::Rehearsed));
        assert!(report.fenced_at.is_some() && report.marker.is_some());
        ground.expect_served_by(OLD, &gates).await;
    }
}

async fn whatever_fails_before_the_flip_ends_where_it_began(ground: &Ground) {
    let gates = ground.gates().await;
    for fails in ["marker", "proof", "sequences"] {
        let mut means = ground.means("one", &gates).await;
        means.ends[0].replication = Arc::new(Streams { fails: Some(fails), ..Streams::default() });
        let failed = prepare(course(Purpose::Flip), means).await.unwrap().run().await.unwrap_err();
        assert!(matches!(failed, Error::Replication { .. }), "{failed:?}");
        ground.expect_served_by(OLD, &gates).await;
    }
    let mut means = ground.means("one", &gates).await;
    means.ends[0].replication = Arc::new(Streams { foreign: 1, ..Streams::default() });
    let failed = prepare(course(Purpose::Flip), means.clone()).await.unwrap().run().await.unwrap_err();
    assert!(matches!(failed, Error::Foreign { transactions: 1 }), "{failed:?}");
    let report = Report::last(means.routes.store(), OLD).await.unwrap().unwrap();
    assert!(matches!(&report.outcome, Outcome::Closed { by, .. } if by == "one"), "{report:?}");
    means.ends[0].replication = Arc::new(Streams { different: vec!["public.t".to_owned()], ..Streams::default() });
    let failed = prepare(course(Purpose::Flip), means.clone()).await.unwrap().run().await.unwrap_err();
    assert!(matches!(failed, Error::Different { .. }), "{failed:?}");
    ground.expect_served_by(OLD, &gates).await;
    // Rights that somebody changes between the plan and the fence.
    let prepared = prepare(course(Purpose::Flip), means).await.unwrap();
    ground.old.sql(&format!("GRANT CREATE ON DATABASE \"{}\" TO pg_monitor", ground.old.database));
    let failed = prepared.run().await.unwrap_err();
    assert!(matches!(failed, Error::Fence(_)), "{failed:?}");
    ground.old.sql(&format!("REVOKE CREATE ON DATABASE \"{}\" FROM pg_monitor", ground.old.database));
    ground.expect_served_by(OLD, &gates).await;
}

async fn gates_that_forget_while_the_other_side_comes_close_are_made_ready_again(ground: &Ground) {
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    means.ends[0].replication =
        Arc::new(Streams { forgetful: Arc::new(Mutex::new(gates.clone())), ..Streams::default() });
    prepare(course(Purpose::Flip), means).await.unwrap().run().await.unwrap();
    ground.expect_served_by(NEW, &gates).await;
}

async fn a_gate_that_would_lift_as_another_role_is_refused(ground: &Ground) {
    let gates = ground.gates().await;
    gates[1].lift_as("another");
    let means = ground.means("one", &gates).await;
    let refused = prepare(course(Purpose::Flip), means).await.err().unwrap();
    assert!(matches!(&refused, Error::OtherRole { role, .. } if role == "another"), "{refused:?}");
    assert!(refused.is_refusal());
    ground.expect_served_by(OLD, &gates).await;
}

async fn tables_that_are_not_proven_forbid_it_unless_they_are_allowed(ground: &Ground) {
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    means.ends[0].replication = Arc::new(Streams { unproven: vec!["public.t".to_owned()], ..Streams::default() });
    for purpose in [Purpose::Rehearse, Purpose::Flip] {
        let failed = prepare(course(purpose), means.clone()).await.unwrap().run().await.unwrap_err();
        assert!(matches!(&failed, Error::Unproven { tables } if tables == &["public.t"]), "{failed:?}");
        assert!(failed.is_refusal());
        ground.expect_served_by(OLD, &gates).await;
    }
    means.unproven = Unproven::Allow;
    let report = led(course(Purpose::Flip), &means).await;
    assert_eq!((report.outcome, report.unproven), (Outcome::Flipped, vec!["public.t".to_owned()]));
    assert!(report.remarks.iter().any(|remark| remark.contains("--allow-unproven")), "{:?}", report.remarks);
}

async fn all_gates_are_armed_or_none_stays_closed(ground: &Ground) {
    let gates = ground.gates().await;
    gates[1].refuse("arm");
    let means = ground.means("one", &gates).await;
    let failed = prepare(course(Purpose::Flip), means).await.unwrap().run().await.unwrap_err();
    assert!(matches!(&failed, Error::Gate { gateway, .. } if gateway == "gate-2"), "{failed:?}");
    ground.expect_served_by(OLD, &gates).await;
}

/// The others are not to be looked at, and have not to wait for it either.
async fn a_gate_that_says_nothing_in_time_is_named_and_all_open_where_they_were(ground: &Ground) {
    let gates = ground.gates().await;
    gates[1].fall_silent();
    let mut means = ground.means("one", &gates).await;
    means.limits.max_pause = std::time::Duration::from_secs(2);
    let failed = prepare(course(Purpose::Flip), means.clone()).await.unwrap().run().await.unwrap_err();
    assert!(matches!(&failed, Error::Gate { gateway, .. } if gateway == "gate-2"), "{failed:?}");
    let told = atalaya_data::chain(&failed);
    assert!(told.contains("drain was not done within") && told.contains("the longest pause"), "{told}");
    assert!(failed.hint().unwrap().contains("nothing was cut"), "{failed:?}");
    ground.expect_served_by(OLD, &gates).await;
    let report = Report::last(means.routes.store(), OLD).await.unwrap().unwrap();
    assert!(matches!(report.outcome, Outcome::Closed { .. }) && report.fenced_at.is_none(), "{report:?}");
    assert_eq!(report.gateways.len(), 2, "{report:?}");
}

/// The fence of where clients were led away from is not in the way of who is to be led from there again: it stays.
async fn who_would_lead_away_from_where_nobody_is_lifts_no_fence(ground: &Ground) {
    let gates = ground.gates().await;
    let means = ground.means("one", &gates).await;
    prepare(course(Purpose::Flip), means.clone()).await.unwrap().run().await.unwrap();
    let refused = prepare(course(Purpose::Flip), means.clone()).await.err().unwrap();
    assert!(refused.is_refusal(), "{refused:?}");
    ground.expect_served_by(NEW, &gates).await;
    let other = atalaya_cutover::Course { migration: "another".to_owned(), ..course(Purpose::Rehearse) };
    assert!(prepare(other, means).await.is_err());
    ground.expect_served_by(NEW, &gates).await;
}

/// One that is cut off just then opens by itself when its lease is over, where the journal says.
async fn a_gate_that_does_not_hear_the_decision_reads_it(ground: &Ground) {
    let gates = ground.gates().await;
    gates[1].refuse("settle");
    let mut means = ground.means("one", &gates).await;
    means.limits.max_pause = std::time::Duration::from_secs(5);
    let report = led(course(Purpose::Flip), &means).await;
    assert_eq!(report.gateways[0].unsettled, None);
    assert!(report.gateways[1].unsettled.is_some());
    ground.expect_served_by(NEW, &gates).await;
}

atalaya_sandbox::on_every_backend! {
    clients_are_led_there_and_back_and_there_again
    a_rehearsal_does_everything_but_the_flip
    whatever_fails_before_the_flip_ends_where_it_began
    all_gates_are_armed_or_none_stays_closed
    a_gate_that_says_nothing_in_time_is_named_and_all_open_where_they_were
    tables_that_are_not_proven_forbid_it_unless_they_are_allowed
    gates_that_forget_while_the_other_side_comes_close_are_made_ready_again
    a_gate_that_would_lift_as_another_role_is_refused
    who_would_lead_away_from_where_nobody_is_lifts_no_fence
    a_gate_that_does_not_hear_the_decision_reads_it
}
