//! Commands that are ended, and what of them takes no notice: nothing of them may lead clients later.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atalaya_cutover::{CommandGate, Cutovers, Error, Purpose, TrafficGate};

use crate::commands::{Hand, gone, led, led_by};
use crate::ground::{Ground, NEW, OLD, course};
use crate::hand::Streams;

/// Commands that take no notice of being ended: as a whole, or what they have started.
fn stubborn(left: &Path) -> [String; 2] {
    let left = left.display();
    [
        format!("trap '' TERM; sleep 1000 & echo $! > '{left}'; wait"),
        format!("sh -c \"trap '' TERM; echo \\$\\$ > '{left}'; exec sleep 1000\" & wait"),
    ]
}

async fn what_takes_no_notice_of_its_end_is_ended_all_the_same(ground: &Ground) {
    let hand = Hand::new();
    let left = hand.folder.path().join("left");
    for hangs in stubborn(&left) {
        let mut means = led_by(ground, &course(Purpose::Flip), hand.commands(&hangs, "true", "true")).await;
        means.limits.max_pause = Duration::from_secs(8);
        let failed = Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await.unwrap_err();
        let told = atalaya_data::chain(&failed);
        assert!(told.contains("it was not done within 4000 ms, and was ended"), "{told}");
        gone(&left);
        ground.expect_served_by(OLD, &[]).await;
    }
    for hangs in stubborn(&left) {
        let mut commands = hand.commands("true", &hangs, "true");
        commands.limit = Duration::from_secs(4);
        let report = led(ground, course(Purpose::Flip), commands).await.unwrap();
        assert!(report.unswitched().unwrap().contains("it was not done within 4000 ms"), "{report:?}");
        gone(&left);
        ground.expect_served_by(NEW, &[]).await;
    }
}

#[tokio::test]
async fn one_that_nobody_waits_for_any_more_is_gone_with_all_that_it_has_started() {
    let ground = Ground::sqlite();
    let hand = Hand::new();
    let left = hand.folder.path().join("left");
    for hangs in stubborn(&left) {
        let means = led_by(&ground, &course(Purpose::Flip), hand.commands(&hangs, "true", "true")).await;
        let commands = hand.commands(&hangs, "true", "true");
        let gate = Arc::new(CommandGate::new(means.routes, course(Purpose::Flip), commands));
        let arming = gate.arm(OLD, 1, Duration::from_secs(600));
        let started = async {
            while std::fs::read_to_string(&left).map_or(true, |text| !text.ends_with('\n')) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            armed = arming => panic!("{armed:?}"),
            () = started => {}
        }
        gone(&left);
    }
}

/// Only before the fence nothing was cut.
#[tokio::test]
async fn what_takes_too_long_behind_the_fence_does_not_say_that_nothing_was_cut() {
    let ground = Ground::sqlite();
    let hand = Hand::new();
    let mut means = led_by(&ground, &course(Purpose::Flip), hand.commands("true", "true", "true")).await;
    means.ends[0].replication = Arc::new(Streams { hangs: Some("proof"), ..Streams::default() });
    means.limits.max_pause = Duration::from_secs(4);
    let failed = Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await.unwrap_err();
    assert!(matches!(failed, Error::OutOfTime { stage: "proof", .. }), "{failed:?}");
    let hint = failed.hint().unwrap();
    assert!(!hint.contains("nothing was cut") && hint.contains("sessions"), "{hint}");
    let left = Duration::ZERO;
    assert!(Error::OutOfTime { stage: "drain", left }.hint().unwrap().contains("nothing was cut"));
    ground.expect_served_by(OLD, &[]).await;
}

atalaya_sandbox::on_every_backend! {
    what_takes_no_notice_of_its_end_is_ended_all_the_same
}
