//! One run of the program: what it has told by now, and how it ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use atalaya_verbs::{Error as VerbError, Event, Group, Program, ended, read_lines, shown};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Error;

/// What a run has told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The step that it told last.
    pub(super) phase: String,
    pub(super) is_caught_up: bool,
}

/// A run; ended when dropped.
pub(super) struct Run {
    group: Group,
    line: String,
    seen: watch::Receiver<Seen>,
    said: JoinHandle<std::io::Result<Vec<String>>>,
    printed: JoinHandle<std::io::Result<String>>,
}

/// How a run ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    line: String,
    said: Vec<String>,
}

impl Ended {
    /// As an error that tells what it said.
    pub(super) fn into_error(self) -> VerbError {
        ended(self.line, self.status, &self.said)
    }
}

impl Run {
    pub(super) fn start(program: &Program, arguments: &[&str]) -> Result<Self, Error> {
        let line = shown(arguments);
        program.narrator.tell(&Event::Command { line: line.clone() });
        let mut group = program.spawn(arguments)?;
        let (sender, seen) = watch::channel(Seen::default());
        let stderr = group.child.stderr.take();
        // Tasks of their own: somebody must read for as long as the run writes.
        let said = tokio::spawn(read_lines(stderr, move |event| note(event, &sender)));
        let stdout = group.child.stdout.take();
        let printed = tokio::spawn(async move {
            let mut text = String::new();
            if let Some(mut stdout) = stdout {
                stdout.read_to_string(&mut text).await?;
            }
            Ok(text)
        });
        Ok(Self { group, line, seen, said, printed })
    }

    /// Its process; none once it has ended.
    pub(super) fn id(&self) -> Option<i32> {
        self.group.child.id().and_then(|id| i32::try_from(id).ok())
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits for its end, as often as one likes.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        let line = &self.line;
        let failed = |source| VerbError::Run { line: line.clone(), source };
        Ok(self.group.child.wait().await.map_err(failed)?)
    }

    /// Waits for its end; the signal that it died of. None for one that ended by itself: a process that nobody has
    /// waited for yet takes a signal, too, and does not die of it.
    pub(super) async fn death(&mut self) -> Result<Option<i32>, Error> {
        Ok(self.wait().await?.signal())
    }

    /// Waits until it is caught up or has ended.
    pub(super) async fn caught_up_or_ended(&mut self) -> Result<(), Error> {
        let mut seen = self.seen.clone();
        tokio::select! {
            Ok(_) = seen.wait_for(|seen| seen.is_caught_up) => Ok(()),
            ended = self.wait() => ended.map(|_| ()),
        }
    }

    /// What an ended run has said.
    pub(super) async fn into_ended(mut self) -> Result<Ended, Error> {
        let status = self.wait().await?;
        let line = self.line.clone();
        let failed = |source| VerbError::Run { line: line.clone(), source };
        let said = (&mut self.said).await.map_err(|_| Error::Ended)?.map_err(failed)?;
        let stdout = (&mut self.printed).await.map_err(|_| Error::Ended)?.map_err(failed)?;
        Ok(Ended { status, stdout, line: self.line.clone(), said })
    }
}

fn note(event: &serde_json::Value, sender: &watch::Sender<Seen>) {
    match event.get("event").and_then(serde_json::Value::as_str) {
        Some("phase") => {
            let phase = event.get("phase").and_then(serde_json::Value::as_str).unwrap_or_default();
            sender.send_modify(|seen| phase.clone_into(&mut seen.phase));
        }
        Some("caught_up") => sender.send_modify(|seen| seen.is_caught_up = true),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use atalaya_verbs::{Naming, Narrator};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    struct Nobody;

    impl Narrator for Nobody {
        fn tell(&self, _: &Event) {}
    }

    fn run(path: &str, arguments: &[&str]) -> Run {
        let program = Program {
            path: path.into(),
            folder: ".".into(),
            name: "shop",
            naming: Naming::Urls,
            source_url: String::new(),
            target_url: String::new(),
            client_tools: ".".into(),
            narrator: Arc::new(Nobody),
        };
        Run::start(&program, arguments).unwrap()
    }

    async fn killed(run: &mut Run) -> Option<i32> {
        kill(Pid::from_raw(run.id().unwrap()), Signal::SIGKILL).unwrap();
        run.death().await.unwrap()
    }

    #[tokio::test]
    async fn a_kill_that_comes_after_the_end_is_no_death() {
        let mut ended = run("true", &[]);
        let state = format!("/proc/{}/stat", ended.id().unwrap());
        atalaya_sandbox::eventually("it has ended, and nobody has waited for it", || {
            std::fs::read_to_string(&state).unwrap().contains(") Z ")
        });
        assert_eq!(killed(&mut ended).await, None);
        assert_eq!(killed(&mut run("sleep", &["1000"])).await, Some(9));
    }
}
