//! Workers of a gateway that get a share of a core and no more, by the kernel's deadline scheduling.

use std::process::Command;
use std::time::{Duration, Instant};

use super::ways::Front;
use crate::child;
use crate::error::Error;

/// As the gateway names the threads of its workers; the first one is the process' own.
const WORKER: &str = "gateway-";
/// What a worker runs in each period: a tenth.
const RUNTIME: Duration = Duration::from_millis(1);
const PERIOD: Duration = Duration::from_millis(10);
/// Around the share: the kernel looks at it by its own clock.
const USED_AT_LEAST: f64 = 0.8;
const USED_AT_MOST: f64 = 1.2;

/// The workers that are held.
pub(super) struct Share {
    process: u32,
    workers: Vec<u32>,
}

impl Share {
    pub(super) const WORDS: &str = "a tenth";

    /// Holds all workers of a gateway.
    pub(super) fn hold(front: &Front, expected: usize) -> Result<Self, Error> {
        let process = front.running.id();
        let workers = workers(process)?;
        if workers.len() != expected {
            return Err(Error::OtherWork(format!("the gateway has {} workers and not {expected}", workers.len())));
        }
        let (runtime, period) = (RUNTIME.as_nanos().to_string(), PERIOD.as_nanos().to_string());
        for worker in &workers {
            let mut hold = Command::new("chrt");
            hold.args(["--deadline", "--reset-on-fork", "--sched-runtime", &runtime, "--sched-deadline", &period]);
            hold.args(["--sched-period", &period, "--pid", "0", &worker.to_string()]);
            child::time(&mut hold).map_err(|error| match error {
                Error::Failed { said, .. } => Error::OtherWork(format!(
                    "workers could not be held to a share of a core: {said}\nhint: it takes root, or CAP_SYS_NICE"
                )),
                other => other,
            })?;
        }
        Ok(Self { process, workers })
    }

    /// Runs something within the share: no worker had more.
    pub(super) fn is_kept<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.between(0.0, work)
    }

    /// Runs something that the share is what slows.
    pub(super) fn is_used_up<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.between(USED_AT_LEAST, work)
    }

    fn between<T>(&self, at_least: f64, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let (begun, before) = (Instant::now(), self.ran()?);
        let done = work()?;
        let ran = self.ran()?.saturating_sub(before).as_secs_f64();
        let share = RUNTIME.as_secs_f64() / PERIOD.as_secs_f64() * self.workers.len() as f64;
        let used = ran / (begun.elapsed().as_secs_f64() * share);
        if (at_least..=USED_AT_MOST).contains(&used) {
            return Ok(done);
        }
        Err(Error::OtherWork(format!(
            "{:.0} % of the workers' share was used: something else was measured",
            used * 100.0
        )))
    }

    /// How long they have run, all together.
    fn ran(&self) -> Result<Duration, Error> {
        self.workers
            .iter()
            .map(|worker| nanoseconds(self.process, *worker))
            .sum::<Result<u64, _>>()
            .map(Duration::from_nanos)
    }
}

fn workers(process: u32) -> Result<Vec<u32>, Error> {
    let tasks = format!("/proc/{process}/task");
    let mut workers = vec![process];
    for task in std::fs::read_dir(&tasks).map_err(|source| unread(&tasks, source))? {
        let task = task.map_err(|source| unread(&tasks, source))?;
        let name = task.path().join("comm");
        let name = std::fs::read_to_string(&name).map_err(|source| unread(&name.display().to_string(), source))?;
        let number = task.file_name().to_string_lossy().parse();
        if name.trim_end().strip_prefix(WORKER).is_some_and(|rest| rest.parse::<u16>().is_ok())
            && let Ok(number) = number
        {
            workers.push(number);
        }
    }
    Ok(workers)
}

/// What a thread has run: the first number of its statistics.
fn nanoseconds(process: u32, thread: u32) -> Result<u64, Error> {
    let path = format!("/proc/{process}/task/{thread}/schedstat");
    let text = std::fs::read_to_string(&path).map_err(|source| unread(&path, source))?;
    let first = text.split_whitespace().next().and_then(|first| first.parse().ok());
    first.ok_or_else(|| Error::OtherWork(format!("`{path}` says nothing that is known")))
}

fn unread(path: &str, source: std::io::Error) -> Error {
    Error::Run { program: path.to_owned(), source }
}
