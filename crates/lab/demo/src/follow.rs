//! `migrate start` as a process that goes on: its steps, its copy's figures, and how far it is behind.

use std::time::{Duration, Instant};

use atalaya_verbs::{Event, Group, Narrator, Program, ended, number, read_lines, shown};
use serde::Deserialize;
use tokio::sync::watch;

use crate::Error;
use crate::report::{Copied, Lag};

const COPY_LIMIT: Duration = Duration::from_secs(3 * 3600);
const END_LIMIT: Duration = Duration::from_secs(120);
/// How often `migrate status` is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When `migrate start` said what.
#[derive(Clone, Debug, Default)]
struct Seen {
    copy: Option<Instant>,
    indexes: Option<Instant>,
    stream: Option<Instant>,
    caught_up: Option<Instant>,
}

/// What the demo reads of `migrate status`.
#[derive(Debug, Deserialize)]
struct Status {
    tables_done: u64,
    copied_rows: u64,
    copied_bytes: u64,
    lag_bytes: Option<u64>,
    activity: Option<Activity>,
}

#[derive(Debug, Default, Deserialize)]
struct Activity {
    #[serde(default)]
    lag_seconds: f64,
}

/// The run, ended when dropped.
pub(crate) struct Following {
    program: Program,
    group: Group,
    line: String,
    seen: watch::Receiver<Seen>,
    said: tokio::task::JoinHandle<std::io::Result<Vec<String>>>,
}

impl Following {
    /// Starts the move.
    pub(crate) fn start(program: Program) -> Result<Self, Error> {
        let arguments = program.arguments(&["migrate", "start"], &[]);
        let line = shown(&arguments);
        program.narrator.tell(&Event::Command { line: line.clone() });
        let mut group = program.spawn(&arguments)?;
        let (sender, seen) = watch::channel(Seen::default());
        let stderr = group.child.stderr.take();
        let narrator = std::sync::Arc::clone(&program.narrator);
        // A task of its own: somebody must read for as long as the run writes.
        let said = tokio::spawn(read_lines(stderr, move |event| note(event, &sender, &*narrator)));
        Ok(Self { program, group, line, seen, said })
    }

    /// Waits until everything the source had written is applied; the figures of the way there.
    pub(crate) async fn until_caught_up(&mut self) -> Result<(Copied, Lag), Error> {
        let limit = tokio::time::Instant::now() + COPY_LIMIT;
        self.until(limit, |seen| seen.stream.is_some()).await?;
        let copied = self.status().await?;
        self.until(limit, |seen| seen.caught_up.is_some()).await?;
        let caught_up = self.status().await?;
        let seen = self.seen.borrow().clone();
        let between = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => to.saturating_duration_since(from).as_secs_f64(),
            _ => 0.0,
        };
        let seconds = between(seen.copy, seen.indexes);
        let figures = Copied {
            tables: caught_up.tables_done,
            rows: caught_up.copied_rows,
            bytes: caught_up.copied_bytes,
            seconds,
            mb_per_second: number(caught_up.copied_bytes) / 1e6 / seconds.max(0.001),
            index_seconds: between(seen.indexes, seen.stream),
            catch_up_seconds: between(seen.stream, seen.caught_up),
        };
        let lag = Lag {
            after_copy_bytes: copied.lag_bytes.unwrap_or_default(),
            caught_up_bytes: caught_up.lag_bytes.unwrap_or_default(),
            caught_up_seconds: caught_up.activity.unwrap_or_default().lag_seconds,
            ..Lag::default()
        };
        Ok((figures, lag))
    }

    /// Looks at the lag again and again, while something else goes on.
    pub(crate) async fn watching<T>(
        &self,
        lag: &mut Lag,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let looking = async {
            loop {
                let status = self.status().await?;
                lag.samples += 1;
                lag.following_bytes_max = lag.following_bytes_max.max(status.lag_bytes.unwrap_or_default());
                let seconds = status.activity.unwrap_or_default().lag_seconds;
                lag.following_seconds_max = lag.following_seconds_max.max(seconds);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            done = work => done,
            failed = looking => failed,
        }
    }

    /// Waits for the end that it was asked for.
    pub(crate) async fn wait(mut self) -> Result<(), Error> {
        let waited = tokio::time::timeout(END_LIMIT, self.group.child.wait()).await;
        let late = |_| atalaya_verbs::Error::TimedOut { line: self.line.clone(), seconds: END_LIMIT.as_secs() };
        let failed = |source| atalaya_verbs::Error::Run { line: self.line.clone(), source };
        let status = waited.map_err(late)?.map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        let said = self.said.await.map_err(|_| Error::Ended)?.map_err(failed)?;
        Err(ended(self.line, status, &said).into())
    }

    async fn status(&self) -> Result<Status, Error> {
        let arguments = self.program.arguments(&["migrate", "status"], &[]);
        Ok(self.program.ask(&arguments, &[0], |_| ()).await?.read()?)
    }

    /// Waits for a step; an error when the run ends before it.
    async fn until(&mut self, limit: tokio::time::Instant, reached: impl Fn(&Seen) -> bool) -> Result<(), Error> {
        let waited = tokio::time::timeout_at(limit, self.seen.wait_for(|seen| reached(seen))).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Err(_) => {
                Err(atalaya_verbs::Error::TimedOut { line: self.line.clone(), seconds: COPY_LIMIT.as_secs() }.into())
            }
            // The reader has gone: the run has closed its output, so it has ended or is about to.
            Ok(Err(_)) => {
                let failed = |source| atalaya_verbs::Error::Run { line: self.line.clone(), source };
                let status = self.group.child.wait().await.map_err(failed)?;
                let said = (&mut self.said).await.map_err(|_| Error::Ended)?.map_err(failed)?;
                Err(ended(self.line.clone(), status, &said).into())
            }
        }
    }
}

/// Turns an event of `migrate start` into the demo's.
fn note(event: &serde_json::Value, sender: &watch::Sender<Seen>, narrator: &dyn Narrator) {
    let text = |name: &str| event.get(name).and_then(serde_json::Value::as_str);
    let figure = |name: &str| event.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
    let progress = |what: &str, done, all, bytes| {
        narrator.tell(&Event::Progress { what: what.to_owned(), done, all, bytes });
    };
    let now = Some(Instant::now());
    match text("event") {
        Some("phase") => {
            let phase = text("phase").unwrap_or_default();
            sender.send_modify(|seen| match phase {
                "copy" => seen.copy = now,
                "indexes" => seen.indexes = now,
                "stream" => seen.stream = now,
                _ => {}
            });
            progress(if phase == "stream" { "apply what was written meanwhile" } else { phase }, 0, 1, false);
        }
        Some("caught_up") => sender.send_modify(|seen| seen.caught_up = now),
        Some("copied") => progress("copy", figure("bytes"), figure("bytes_expected"), true),
        Some("built") => progress("indexes and keys", figure("done"), figure("all"), false),
        Some("warning") => {
            let text = text("text").unwrap_or_default().to_owned();
            narrator.tell(&Event::Result { text: format!("warning: {text}") });
        }
        _ => {}
    }
}
