//! A process of its own that drives one saga, so that it can be killed or frozen at a place that it tells of.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use atalaya_saga::{Definition, Options, Outcome, SagaId, Sagas, Step, StepContext, StepError, Undone};
use serde_json::json;

use crate::ground::{Ground, open, quick, retry};
use crate::target::Target;

const PLACE: &str = "SAGA_TEST_PLACE";
const TARGET: &str = "SAGA_TEST_TARGET";
const HOLD: &str = "SAGA_TEST_HOLD";
const LEASE: &str = "SAGA_TEST_LEASE";

/// Three steps, the last of which is refused; a process that is to hold does so after an effect, before it is written down.
pub(crate) fn definition(target: &Target, hold_after: Option<String>, last: &'static str) -> Definition {
    let step = |name: &'static str| {
        let (doing, undoing) = (target.clone(), target.clone());
        let (hold_doing, hold_undoing) = (hold_after.clone(), hold_after.clone());
        Step::new(name, move |context: StepContext| {
            let (target, hold) = (doing.clone(), hold_doing.clone());
            async move {
                if context.step == "last" && last == "refused" {
                    return Err(StepError::Refused("no".to_owned()));
                }
                target.ask(&context.key);
                held(&target, hold.as_deref(), &context.key).await;
                Ok(Outcome::Done(json!(1)))
            }
        })
        .retried(retry(3))
        .undone_by(move |context: StepContext| {
            let (target, hold) = (undoing.clone(), hold_undoing.clone());
            async move {
                target.ask(&context.key);
                held(&target, hold.as_deref(), &context.key).await;
                Ok(Undone::Undone)
            }
        })
    };
    Definition::new("order", 1, vec![step("a"), step("b"), step("last")]).unwrap()
}

/// Says that the effect has happened, and waits until it is told to go on.
async fn held(target: &Target, hold: Option<&str>, key: &str) {
    if hold != Some(key) {
        return;
    }
    std::fs::write(target.flag("holding"), "").unwrap();
    while !target.flag("go on").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Not a test by itself: what the child runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drives_one_saga_for_a_test_that_asked_for_it() {
    let (Ok(place), Ok(folder), Ok(hold)) = (std::env::var(PLACE), std::env::var(TARGET), std::env::var(HOLD)) else {
        return;
    };
    let target = Target::at(Path::new(&folder));
    let (hold, last) = hold.split_once(' ').unwrap();
    let last = if last == "refused" { "refused" } else { "done" };
    let definition = definition(&target, Some(hold.to_owned()), last);
    let lease = Duration::from_secs(std::env::var(LEASE).unwrap().parse().unwrap());
    let options = Options { lease, ..quick() };
    let sagas = Sagas::new(open(&place).await, vec![definition], options).unwrap();
    let phase = sagas.drive_to_end(&SagaId::new("o1").unwrap()).await.unwrap();
    std::fs::write(target.flag("ended"), format!("{phase:?}")).unwrap();
}

/// A process that drives the saga `o1` and holds after the effect of a key.
pub(crate) struct Driving(Child);

impl Driving {
    pub(crate) fn start(ground: &Ground, target: &Target, hold: &str, last: &str) -> Self {
        Self::leased(ground, target, hold, last, quick().lease)
    }

    /// The same with a lease of whole seconds.
    pub(crate) fn leased(ground: &Ground, target: &Target, hold: &str, last: &str, lease: Duration) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::drives_one_saga_for_a_test_that_asked_for_it", "--nocapture"])
            .env(PLACE, ground.place())
            .env(TARGET, ground.target_folder())
            .env(HOLD, format!("{hold} {last}"))
            .env(LEASE, lease.as_secs().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let driving = Self(child);
        while !target.flag("holding").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        driving
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn wait(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}
