//! Commands that are missing, or come late: what was begun by commands is not ended without them, and nobody is led by old ones.

use std::sync::Arc;

use atalaya_cutover::switch::resume;
use atalaya_cutover::{CommandKind, Course, Cutovers, Error, Purpose, Report};

use crate::commands::{Hand, led, led_by};
use crate::ground::{Ground, NEW, OLD, back, begun, course};
use crate::late::sleeps_at;
use crate::saga::killed_at;

/// The same course by gateways, as somebody runs it who has forgotten the commands.
async fn without_commands(ground: &Ground, course: Course) -> Result<Vec<Report>, Error> {
    let gates = ground.gates().await;
    Cutovers::open(ground.means("other", &gates).await).unwrap().run(course).await
}

fn assert_refused(came: Result<Vec<Report>, Error>, place: &str, options: &[&str]) {
    let failed = came.unwrap_err();
    assert!(failed.is_refusal() && failed.is_unsettled(), "{place}: {failed:?}");
    let Error::NoCommands { options: named, command, .. } = &failed else { panic!("{place}: {failed:?}") };
    assert_eq!(named, options, "{place}");
    let texts = options.iter().map(|option| format!(" {option} ...")).collect::<String>();
    assert_eq!(*command, format!("atalaya migrate cutover shop-to-18{texts}"), "{place}");
    assert!(failed.hint().unwrap().contains(command.as_str()), "{place}");
}

async fn what_commands_have_begun_is_not_ended_without_them(ground: &Ground) {
    let hand = Hand::new();
    let options = ["--switch-command", "--release-command"];
    for (floor, place) in ["cutover-fenced", "cutover-flipped"].into_iter().enumerate() {
        let means = led_by(ground, &course(Purpose::Flip), hand.commands("true", "true", "true")).await;
        killed_at(place, course(Purpose::Flip), means).await;
        let before = ground.routes().await.standing(OLD).await.unwrap();
        for asked in [course(Purpose::Flip), course(Purpose::Rehearse), back()] {
            assert_refused(without_commands(ground, asked).await, place, &options);
        }
        let gates = ground.gates().await;
        let floor = u64::try_from(floor).unwrap();
        let resumed = resume(&begun(course(Purpose::Flip), floor), &ground.means("other", &gates).await).await;
        assert!(matches!(resumed, Err(Error::NoCommands { .. })), "{place}: {resumed:?}");
        assert_eq!(ground.routes().await.standing(OLD).await.unwrap(), before, "{place}: nothing was decided");
        assert!(!ground.old.is_writable().await, "{place}: the fence stands");
        hand.said();
        let came = led(ground, course(Purpose::Flip), hand.commands("true", "true", "true")).await;
        let said = hand.said();
        match place {
            "cutover-fenced" => {
                assert!(matches!(came, Err(Error::Interrupted { .. })), "{came:?}");
                assert_eq!(said, ["release shop-to-18 shop shop-green forward 1"]);
                ground.expect_served_by(OLD, &[]).await;
            }
            _ => {
                assert!(came.unwrap().resumed);
                assert_eq!(said, ["switch shop-to-18 shop shop-green forward 2"]);
                ground.expect_served_by(NEW, &[]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_nothing_lets_go_on_are_told_of() {
    let ground = &Ground::sqlite();
    let hand = Hand::new();
    let means = led_by(ground, &course(Purpose::Flip), hand.commands("true", "true", "true")).await;
    killed_at("cutover-fenced", course(Purpose::Flip), means).await;
    let mut commands = hand.commands("true", "true", "true");
    (commands.hold, commands.release) = (None, None);
    let means = led_by(ground, &course(Purpose::Flip), commands.clone()).await;
    let gate = Arc::clone(&means.gates[0]);
    let came = Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await;
    assert!(matches!(came, Err(Error::Interrupted { .. })), "{came:?}");
    let ran = gate.ran(OLD);
    assert_eq!((ran.len(), ran[0].command), (1, CommandKind::Release), "{ran:?}");
    assert!(ran[0].failure.as_deref().unwrap().contains("clients were held"), "{ran:?}");
    ground.expect_served_by(OLD, &[]).await;
    // Where nobody was held, nobody has to be let go on.
    let means = led_by(ground, &course(Purpose::Flip), commands.clone()).await;
    killed_at("cutover-fenced", course(Purpose::Flip), means).await;
    assert_refused(without_commands(ground, course(Purpose::Flip)).await, "nobody held", &["--switch-command"]);
    let means = led_by(ground, &course(Purpose::Flip), commands).await;
    let gate = Arc::clone(&means.gates[0]);
    let came = Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await;
    assert!(matches!(came, Err(Error::Interrupted { .. })), "{came:?}");
    assert!(gate.ran(OLD).is_empty());
    // One that fails is told in the report, too.
    let commands = hand.commands("true", "true", "exit 5");
    let report = led(ground, course(Purpose::Rehearse), commands).await.unwrap();
    assert!(report.remarks.iter().any(|remark| remark.contains("clients may be held still")), "{report:?}");
}

async fn clients_that_others_have_led_elsewhere_are_not_led_by_an_old_command(ground: &Ground) {
    let hand = Hand::new();
    let ready = || hand.commands("true", "true", "true");
    led(ground, course(Purpose::Flip), hand.commands("true", "exit 7", "true")).await.unwrap();
    // A rehearsal of the way back leads nobody: the command is run again, and told no lower number than before.
    led(ground, Course { purpose: Purpose::Rehearse, ..back() }, ready()).await.unwrap();
    hand.said();
    let again = led(ground, course(Purpose::Flip), hand.commands("true", "exit 7", "true")).await.unwrap();
    assert_eq!((again.epoch, again.unswitched().is_some()), (1, true));
    assert_eq!(hand.said(), ["switch shop-to-18 shop shop-green forward 2"]);

    // Others lead them back before it is run.
    let (failpoints, mut sleeper) = sleeps_at("cutover-settling");
    let mut means = led_by(ground, &course(Purpose::Flip), ready()).await;
    means.failpoints = failpoints;
    let running = tokio::spawn(async move { Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await });
    sleeper.fell_asleep.recv().await.unwrap();
    led(ground, back(), ready()).await.unwrap();
    hand.said();
    sleeper.wake.send(()).unwrap();
    let came = running.await.unwrap();
    assert!(matches!(&came, Err(Error::LedElsewhere { epoch: 1, leads_to }) if leads_to == OLD), "{came:?}");
    assert!(hand.said().is_empty(), "an old command was run");

    // Others lead them back while it runs.
    led(ground, course(Purpose::Flip), hand.commands("true", "exit 7", "true")).await.unwrap();
    let [runs, goes_on] = ["runs", "goes-on"].map(|name| hand.folder.path().join(name));
    let waits = format!("touch '{}'; until [ -e '{}' ]; do sleep 0.02; done", runs.display(), goes_on.display());
    let means = led_by(ground, &course(Purpose::Flip), hand.commands("true", &waits, "true")).await;
    let running = tokio::spawn(async move { Cutovers::open(means).unwrap().run(course(Purpose::Flip)).await });
    while !runs.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    led(ground, back(), ready()).await.unwrap();
    std::fs::write(&goes_on, "").unwrap();
    let came = running.await.unwrap();
    assert!(matches!(&came, Err(Error::LedElsewhere { epoch: 4, leads_to }) if leads_to == OLD), "{came:?}");
    assert!(ground.old.is_writable().await && !ground.new.is_writable().await);
}

atalaya_sandbox::on_every_backend! {
    what_commands_have_begun_is_not_ended_without_them
    clients_that_others_have_led_elsewhere_are_not_led_by_an_old_command
}
