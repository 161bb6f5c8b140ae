//! Clients led by commands in place of gateways: in their order, failing, hanging, and over kills.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use atalaya_cutover::preflight::{Status, preflight};
use atalaya_cutover::{
    CommandGate, CommandKind, Commands, Course, Courses, Cutovers, Error, Means, Outcome, Purpose, Report, TrafficGate,
};

use crate::ground::{Ground, NEW, OLD, back, course};
use crate::hand::Streams;
use crate::saga::killed_at;
use crate::several::{At, Both, both, both_back};

/// Where commands write down that they were run.
pub(crate) struct Hand {
    pub(crate) folder: tempfile::TempDir,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What was run since this was last asked.
    pub(crate) fn said(&self) -> Vec<String> {
        let said = std::fs::read_to_string(self.log()).unwrap_or_default();
        let _none = std::fs::remove_file(self.log());
        said.lines().map(str::to_owned).collect()
    }

    /// Commands that write down what they are told, and then do something.
    pub(crate) fn commands(&self, hold: &str, switch: &str, release: &str) -> Commands {
        let noted = |what: &str| {
            let told = "$ATALAYA_STEP $ATALAYA_MIGRATION $ATALAYA_FROM $ATALAYA_TO $ATALAYA_DIRECTION $ATALAYA_EPOCH";
            format!("echo \"{told}\" >> '{}'; {what}", self.log().display())
        };
        Commands {
            switch: noted(switch),
            hold: Some(noted(hold)),
            release: Some(noted(release)),
            limit: Duration::from_secs(60),
        }
    }
}

pub(crate) async fn led_by(ground: &Ground, course: &Course, commands: Commands) -> Means {
    let mut means = ground.means("one", &[]).await;
    let gate = CommandGate::new(means.routes.clone(), course.clone(), commands);
    means.gates = vec![Arc::new(gate) as Arc<dyn TrafficGate>];
    means
}

pub(crate) async fn led(ground: &Ground, course: Course, commands: Commands) -> Result<Report, Error> {
    let means = led_by(ground, &course, commands).await;
    Cutovers::open(means).unwrap().run(course).await.map(|mut reports| reports.remove(0))
}

async fn expect_served_by(ground: &Ground, place: &str) {
    ground.expect_served_by(place, &[]).await;
}

async fn commands_are_run_in_their_order_and_told_who_is_led_where(ground: &Ground) {
    let hand = Hand::new();
    let commands = || hand.commands("true", "echo led", "true");
    let rehearsed = led(ground, course(Purpose::Rehearse), commands()).await.unwrap();
    assert_eq!(rehearsed.outcome, Outcome::Rehearsed);
    assert_eq!(
        hand.said(),
        ["hold shop-to-18 shop shop-green forward 1", "release shop-to-18 shop shop-green forward 1"]
    );
    expect_served_by(ground, OLD).await;
    let report = led(ground, course(Purpose::Flip), commands()).await.unwrap();
    assert_eq!(
        hand.said(),
        ["hold shop-to-18 shop shop-green forward 2", "switch shop-to-18 shop shop-green forward 2"]
    );
    expect_served_by(ground, NEW).await;
    let ran: Vec<_> = report.commands.iter().map(|ran| (ran.command, ran.exit_code, ran.output.as_str())).collect();
    assert_eq!(ran, [(CommandKind::Hold, Some(0), ""), (CommandKind::Switch, Some(0), "led\n")]);
    assert!(report.gateways.is_empty() && report.unswitched().is_none());
    let kept = Report::last(ground.routes().await.store(), OLD).await.unwrap().unwrap();
    assert_eq!((kept.commands[1].exit_code, kept.commands[1].output.as_str()), (Some(0), ""), "kept in the journal");
    led(ground, back(), commands()).await.unwrap();
    assert_eq!(hand.said(), ["hold shop-to-18 shop-green shop back 3", "switch shop-to-18 shop-green shop back 3"]);
    assert!(ground.old.is_writable().await && !ground.new.is_writable().await);
}

async fn what_fails_before_the_decision_lets_clients_go_on_where_they_are(ground: &Ground) {
    let hand = Hand::new();
    let failed = led(ground, course(Purpose::Flip), hand.commands("exit 3", "true", "true")).await.unwrap_err();
    let told = atalaya_data::chain(&failed);
    assert!(told.contains("the command of --hold-command: it ended with exit code 3"), "{told}");
    assert_eq!(hand.said().len(), 2, "held and let go");
    expect_served_by(ground, OLD).await;

    let mut means = led_by(ground, &course(Purpose::Flip), hand.commands("true", "true", "true")).await;
    means.ends[0].replication = Arc::new(Streams { different: vec!["public.t".to_owned()], ..Streams::default() });
    let failed = Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await.unwrap_err();
    assert!(matches!(failed, Error::Different { .. }), "{failed:?}");
    let said = hand.said();
    assert!(said.len() == 2 && said[0].starts_with("hold") && said[1].starts_with("release"), "{said:?}");
    expect_served_by(ground, OLD).await;
}

async fn one_that_hangs_is_ended_with_all_that_it_has_started(ground: &Ground) {
    let hand = Hand::new();
    let left = hand.folder.path().join("left");
    let hangs = format!("sleep 1000 & echo $! > '{}'; wait", left.display());
    // Whoever holds clients has half of the pause for it. Where a machine is too slow to start anything within that, or to say
    // so within the pause, it is given twice as long.
    for max_pause in limits(2000) {
        let mut means = led_by(ground, &course(Purpose::Flip), hand.commands(&hangs, "true", "true")).await;
        means.limits.max_pause = max_pause;
        let failed = Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await.unwrap_err();
        let told = atalaya_data::chain(&failed);
        expect_served_by(ground, OLD).await;
        let ended = format!("it was not done within {} ms, and was ended", (max_pause / 2).as_millis());
        if told.contains(&ended) && has_started(&left) {
            break;
        }
        assert!(told.contains("was not done within") && max_pause < LIMIT_MAX, "{told}");
    }
    gone(&left);

    for limit in limits(500) {
        let mut commands = hand.commands("true", &hangs, "true");
        commands.limit = limit;
        let report = led(ground, course(Purpose::Flip), commands).await.unwrap();
        let told = format!("it was not done within {} ms", limit.as_millis());
        assert!(report.unswitched().unwrap().contains(&told), "{report:?}");
        expect_served_by(ground, NEW).await;
        if has_started(&left) {
            break;
        }
        assert!(limit < LIMIT_MAX, "it never started anything");
    }
    gone(&left);
    // One that starts something which goes on, and holds its output, is not waited for.
    let stays = format!("(sleep 1000 & echo $! > '{}'); echo started", left.display());
    let report = led(ground, course(Purpose::Flip), hand.commands("true", &stays, "true")).await.unwrap();
    assert_eq!(report.unswitched(), None);
    assert_eq!(report.commands.last().unwrap().output, "started\n");
    let process: i32 = std::fs::read_to_string(&left).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// Longer than any machine needs to start a command.
pub(crate) const LIMIT_MAX: Duration = Duration::from_secs(64);

/// Limits, each twice as long as the one before it.
pub(crate) fn limits(first_ms: u64) -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(Duration::from_millis(first_ms)), |limit| Some(*limit * 2))
}

/// Whether a command has come to write a process's number down.
pub(crate) fn has_started(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
}

/// That the process whose number stands in a file is gone. The file goes, too.
pub(crate) fn gone(file: &Path) {
    let process = std::fs::read_to_string(file).unwrap();
    std::fs::remove_file(file).unwrap();
    let state = PathBuf::from(format!("/proc/{}/stat", process.trim()));
    atalaya_sandbox::eventually("what the command has started is gone", || {
        // It may be left for init to reap.
        std::fs::read_to_string(&state).map_or(true, |text| text.contains(") Z "))
    });
}

async fn one_that_fails_behind_the_decision_is_run_again_by_the_same_course_and_keeps_nobody_from_going_back(
    ground: &Ground,
) {
    let hand = Hand::new();
    for _ in 0..2 {
        let report = led(ground, course(Purpose::Flip), hand.commands("true", "exit 7", "true")).await.unwrap();
        assert_eq!((&report.outcome, report.unswitched()), (&Outcome::Flipped, Some("it ended with exit code 7")));
        expect_served_by(ground, NEW).await;
    }
    let said = hand.said();
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said[1..], vec!["switch shop-to-18 shop shop-green forward 1".to_owned(); 2]);
    let report = led(ground, course(Purpose::Flip), hand.commands("true", "true", "true")).await.unwrap();
    assert!(report.unswitched().is_none() && report.resumed && report.epoch == 1, "{report:?}");
    let other = Course { migration: "another".to_owned(), ..course(Purpose::Flip) };
    let refused = led(ground, other, hand.commands("true", "true", "true")).await.unwrap_err();
    assert!(matches!(&refused, Error::Forbidden { ids, .. } if ids.contains(&"route".to_owned())), "{refused:?}");

    led(ground, back(), hand.commands("true", "exit 7", "true")).await.unwrap();
    hand.said();
    // A course that is over leads nobody: this one is a new one.
    led(ground, course(Purpose::Flip), hand.commands("true", "true", "true")).await.unwrap();
    assert_eq!(hand.said()[0], "hold shop-to-18 shop shop-green forward 3");
    expect_served_by(ground, NEW).await;
}

async fn what_a_killed_one_left_is_ended_by_the_same_course_with_its_command(ground: &Ground) {
    let hand = Hand::new();
    let commands = || hand.commands("true", "true", "true");
    for (place, at, step) in [
        ("cutover-opened", OLD, "release"),
        ("cutover-armed", OLD, "release"),
        ("cutover-fenced", OLD, "release"),
        ("cutover-flipped", NEW, "switch"),
        ("cutover-settled", NEW, "switch"),
    ] {
        killed_at(place, course(Purpose::Flip), led_by(ground, &course(Purpose::Flip), commands()).await).await;
        hand.said();
        // Nobody else lifts the fence, or leads clients anywhere.
        assert_eq!(ground.old.is_writable().await, ["cutover-opened", "cutover-armed"].contains(&place), "{place}");
        let came = led(ground, course(Purpose::Flip), commands()).await;
        let said = hand.said();
        assert!(said.len() == 1 && said[0].starts_with(step), "{place}: {said:?}");
        expect_served_by(ground, at).await;
        match at {
            OLD => assert!(matches!(came, Err(Error::Interrupted { .. })), "{place}: {came:?}"),
            _ => {
                assert!(came.unwrap().resumed, "{place}");
                led(ground, back(), commands()).await.unwrap();
                lift_new(ground).await;
                hand.said();
            }
        }
    }
}

/// As in the beginning.
async fn lift_new(ground: &Ground) {
    let standing = ground.routes().await.standing(OLD).await.unwrap();
    let session = atalaya_postgres::Session::connect(&ground.new.url(), "atalaya test").await.unwrap();
    atalaya_cutover::fence::lift_standing(&session, OLD, standing.last_epoch).await.unwrap();
}

async fn who_goes_back_after_a_kill_has_nobody_led_there_first(ground: &Ground) {
    let hand = Hand::new();
    let commands = || hand.commands("true", "true", "true");
    killed_at("cutover-flipped", course(Purpose::Flip), led_by(ground, &course(Purpose::Flip), commands()).await).await;
    hand.said();
    led(ground, back(), commands()).await.unwrap();
    assert_eq!(hand.said(), ["hold shop-to-18 shop-green shop back 2", "switch shop-to-18 shop-green shop back 2"]);
    assert!(ground.old.is_writable().await && !ground.new.is_writable().await);
}

async fn each_of_several_databases_is_led_by_commands_of_its_own(ground: &Ground) {
    let (both_sides, hand) = (Both::with(ground), Hand::new());
    let run = async |courses: Courses| {
        let mut means = both_sides.means("one", &[]).await;
        let gate = |course: &Course| {
            let gate = CommandGate::new(means.routes.clone(), course.clone(), hand.commands("true", "true", "true"));
            Arc::new(gate) as Arc<dyn TrafficGate>
        };
        means.gates = courses.iter().map(gate).collect();
        Cutovers::open(means).unwrap().run(courses).await.unwrap()
    };
    let told = |step: &str| {
        ["shop-to-18 shop shop-green", "users-to-18 users users-green"].map(|led| format!("{step} {led} forward 1"))
    };
    let sorted = || {
        let mut said = hand.said();
        said.sort();
        said
    };
    let reports = run(both(Purpose::Flip)).await;
    assert!(reports.iter().all(|report| report.commands.len() == 2 && report.unswitched().is_none()), "{reports:?}");
    assert_eq!(sorted(), [told("hold"), told("switch")].concat());
    both_sides.expect_served(At::New, &[]).await;
    // Those that lead clients are run again, for both.
    let reports = run(both(Purpose::Flip)).await;
    assert!(reports.iter().all(|report| report.resumed && report.commands.len() == 1), "{reports:?}");
    assert_eq!(sorted(), told("switch"));
    run(both_back()).await;
    assert_eq!(both_sides.led_to().await, At::Old);
}

#[tokio::test]
async fn what_commands_cannot_promise_is_said_and_forbids_nothing() {
    let ground = Ground::sqlite();
    let hand = Hand::new();
    let mut commands = hand.commands("true", "true", "true");
    commands.hold = None;
    let means = led_by(&ground, &course(Purpose::Flip), commands).await;
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    assert!(!report.forbids, "{report:#?}");
    let check = report.check("commands").unwrap();
    assert_eq!(check.status, Status::Warn);
    let seen: Vec<&str> = check.findings.iter().map(|finding| finding.seen.as_str()).collect();
    for said in ["what they run is rolled back", "nobody but the same command lets them in", "is refused there"] {
        assert!(seen.iter().any(|seen| seen.contains(said)), "{said}: {seen:?}");
    }
    let gates = ground.gates().await;
    let report = preflight(&course(Purpose::Flip), &ground.means("one", &gates).await).await.unwrap();
    assert_eq!(report.check("commands").unwrap().status, Status::Pass);
    assert!(hand.said().is_empty(), "a look runs nothing");
}

#[tokio::test]
async fn of_what_a_command_says_the_end_is_kept() {
    let ground = Ground::sqlite();
    let hand = Hand::new();
    let talks = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done";
    let report = led(&ground, course(Purpose::Flip), hand.commands("true", talks, "true")).await.unwrap();
    let output = &report.commands.last().unwrap().output;
    assert!(output.len() <= 4096 && output.ends_with("line 2999\n"), "{}", output.len());
}

atalaya_sandbox::on_every_backend! {
    commands_are_run_in_their_order_and_told_who_is_led_where
    what_fails_before_the_decision_lets_clients_go_on_where_they_are
    one_that_hangs_is_ended_with_all_that_it_has_started
    one_that_fails_behind_the_decision_is_run_again_by_the_same_course_and_keeps_nobody_from_going_back
    what_a_killed_one_left_is_ended_by_the_same_course_with_its_command
    who_goes_back_after_a_kill_has_nobody_led_there_first
    each_of_several_databases_is_led_by_commands_of_its_own
}
