//! Workers of a gateway that get a share of a core and no more, by the kernel's deadline scheduling.

use std::process::Command;
use std::time::{Duration, Instant};

use super::ways::Front;
use crate::child;
use crate::error::Error;

/// As the gateway names the threads of its workers; the first one is the process' own.
const WORKER: &str = "gateway-";
const PERIOD: Duration = Duration::from_millis(10);
/// What a worker runs in each period: one part of so many.
const PARTS: u32 = 10;
/// Around the share: the kernel looks at it by its own clock.
const USED_AT_LEAST: f64 = 0.8;
const USED_AT_MOST: f64 = 1.2;

/// The workers that are held.
pub(super) struct Share {
    process: u32,
    workers: Vec<u32>,
}

impl Share {
    /// For people.
    pub(super) fn words() -> String {
        format!("1/{PARTS}")
    }

    /// Whether anybody may be held at all, before an hour is spent on other figures.
    pub(super) fn is_allowed() -> Result<(), Error> {
        run(hold(&["0", "true"]))
    }

    /// Holds all workers of a gateway.
    pub(super) fn hold(front: &Front, expected: usize) -> Result<Self, Error> {
        let process = front.running.id();
        let workers = workers(process)?;
        if workers.len() != expected {
            return Err(Error::OtherWork(format!("the gateway has {} workers and not {expected}", workers.len())));
        }
        workers.iter().try_for_each(|worker| run(hold(&["--pid", "0", &worker.to_string()])))?;
        Ok(Self { process, workers })
    }

    /// Runs something in which no worker has more than its share.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.between(0.0, work)
    }

    /// Runs something that each worker's share is what slows.
    pub(super) fn using_up<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.between(USED_AT_LEAST, work)
    }

    fn between<T>(&self, at_least: f64, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let (begun, before) = (Instant::now(), self.ran()?);
        let done = work()?;
        let share = begun.elapsed().as_secs_f64() / f64::from(PARTS);
        for (before, after) in before.into_iter().zip(self.ran()?) {
            let used = after.saturating_sub(before).as_secs_f64() / share;
            if !(at_least..=USED_AT_MOST).contains(&used) {
                let percent = used * 100.0;
                let said = format!("a worker used {percent:.0} % of its share: something else was measured");
                return Err(Error::OtherWork(said));
            }
        }
        Ok(done)
    }

    /// How long each of them has run.
    fn ran(&self) -> Result<Vec<Duration>, Error> {
        let ran = |worker: &u32| nanoseconds(self.process, *worker).map(Duration::from_nanos);
        self.workers.iter().map(ran).collect()
    }
}

fn hold(whom: &[&str]) -> Command {
    let (runtime, period) = ((PERIOD / PARTS).as_nanos().to_string(), PERIOD.as_nanos().to_string());
    let mut chrt = Command::new("chrt");
    chrt.args(["--deadline", "--reset-on-fork", "--sched-runtime", &runtime, "--sched-deadline", &period]);
    chrt.args(["--sched-period", &period]).args(whom);
    chrt
}

fn run(mut hold: Command) -> Result<(), Error> {
    child::time(&mut hold).map(drop).map_err(|error| match error {
        Error::Failed { said, .. } => Error::OtherWork(format!(
            "a thread could not be held to a share of a core: {said}\nhint: it takes root or CAP_SYS_NICE, and a kernel \
             that lets deadline scheduling in; leave `gateway-threads` out where that is not to be had"
        )),
        other => other,
    })
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
