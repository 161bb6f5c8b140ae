//! Does what a supervisor does: runs the same command again whenever its run has ended, and no more than that.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_verbs::{Event, Program};
use serde::Deserialize;
use tokio::time::Instant;

use super::arguments::{Extra, SILENCE_SECONDS};
use super::run::{Ended, Run};
use crate::Error;
use crate::faults::{Kind, Planned, has_holder, strike, wake};
use crate::report::Fault;
use crate::stage::Stage;

/// How long a move may take to be at work again.
const OUTAGE_LIMIT: Duration = Duration::from_secs(240);
/// How often the same command is run again after one fault.
const RUNS_MAX: u32 = 10;
const COPY_LIMIT: Duration = Duration::from_secs(3 * 3600);
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// A silent network comes back after this, and knows its old connections no more.
const SILENCE: Duration = Duration::from_secs(2 * SILENCE_SECONDS);
const HOLDER_LIMIT: Duration = Duration::from_secs(10);
const HOLDER_POLL: Duration = Duration::from_millis(10);
/// Between the end of a run and the next one.
const PAUSE: Duration = Duration::from_millis(100);
pub(super) const FAILED: i32 = 1;
const REFUSED: i32 = 4;
/// Refusals that the end of a dead run's sessions mends, and the one of a command whose own session a fault has ended, as the
/// program shows their codes.
const KEPT: [&str; 5] =
    ["(already-running)", "(earlier-run-ending)", "(slot-active)", "(another-operation)", "(operation-lost)"];
pub(super) const SIGKILL: i32 = 9;

/// What is read of `migrate status`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Status {
    phase: String,
    running: bool,
    tables_done: u64,
    copied_bytes: u64,
    applied_lsn: Option<Lsn>,
}

/// The move, and what has happened to it.
pub(crate) struct Supervisor<'a> {
    pub(super) program: Program,
    pub(super) stage: &'a Stage,
    pub(super) extra: Extra,
    began: Instant,
    /// No fault begins later.
    deadline: Instant,
    pub(crate) faults: Vec<Fault>,
    pub(crate) runs_again: u32,
    /// Whether faults did not come because their time was over.
    pub(crate) is_out_of_time: bool,
    /// What happened last.
    pub(super) after: String,
    run: Option<Run>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(program: Program, stage: &'a Stage, extra: Extra, time: Duration) -> Self {
        let began = Instant::now();
        Self {
            program,
            stage,
            extra,
            began,
            deadline: began + time,
            faults: Vec::new(),
            runs_again: 0,
            is_out_of_time: false,
            after: "the start".to_owned(),
            run: None,
        }
    }

    fn start(&mut self) -> Result<(), Error> {
        let arguments = self.program.arguments(&["migrate", "start"], &self.extra.of_run());
        self.run = Some(Run::start(&self.program, &arguments)?);
        Ok(())
    }

    /// Whether there is time for a further fault.
    pub(super) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Begins the move, or goes on with it, and lets faults come.
    pub(crate) async fn start_under(&mut self, planned: &[Planned]) -> Result<(), Error> {
        if self.run.is_none() {
            self.start()?;
        }
        for fault in planned {
            if self.has_time() {
                self.fault(*fault).await?;
            } else {
                self.is_out_of_time = true;
            }
        }
        Ok(())
    }

    /// Waits until all that the source has written is applied.
    pub(crate) async fn until_caught_up(&mut self) -> Result<(), Error> {
        let limit = Instant::now() + COPY_LIMIT;
        let mut runs = 0;
        loop {
            let run = self.run.as_mut().ok_or(Error::Ended)?;
            if run.seen().is_caught_up && run.id().is_some() {
                return Ok(());
            }
            let stuck = |after: &str| Error::Stuck { after: after.to_owned(), seconds: COPY_LIMIT.as_secs(), runs };
            tokio::time::timeout_at(limit, run.caught_up_or_ended()).await.map_err(|_| stuck(&self.after))??;
            if self.run.as_ref().is_some_and(|run| run.id().is_none()) {
                runs += 1;
                self.again(runs).await?;
            }
        }
    }

    /// Waits, strikes, and waits until the move is at work again.
    async fn fault(&mut self, planned: Planned) -> Result<(), Error> {
        let mut runs = 0;
        let (before, phase, struck_at, kind, evidence) = loop {
            self.until_time_comes(Instant::now() + planned.after, &mut runs).await?;
            let before = self.look().await;
            if planned.kind == Kind::Holder {
                self.until_there_is_a_holder().await;
            }
            let phase = self.run.as_ref().map(|run| run.seen().phase).unwrap_or_default();
            let struck_at = Instant::now();
            if let Some((kind, evidence)) = self.strike(planned.kind).await? {
                break (before, phase, struck_at, kind, evidence);
            }
            // The run had just ended by itself: the fault is still to come.
            runs += 1;
            self.again(runs).await?;
        };
        self.after = format!("`{}` in the step `{phase}`", kind.text());
        let runs_again = self.recover(kind, before, struck_at).await?;
        self.record(Fault {
            kind: kind.text(),
            during: "migrate start",
            phase: if phase.is_empty() { "before its first step".to_owned() } else { phase },
            at_seconds: struck_at.saturating_duration_since(self.began).as_secs_f64(),
            evidence,
            runs_again,
            outage_seconds: struck_at.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// Waits while the run goes on; one that ends meanwhile, of an earlier fault's making, is begun again.
    async fn until_time_comes(&mut self, time: Instant, runs: &mut u32) -> Result<(), Error> {
        while let Ok(ended) = tokio::time::timeout_at(time, self.run.as_mut().ok_or(Error::Ended)?.wait()).await {
            ended?;
            *runs += 1;
            self.again(*runs).await?;
        }
        Ok(())
    }

    /// It is there from the snapshot to the end of the copy.
    async fn until_there_is_a_holder(&mut self) {
        let limit = Instant::now() + HOLDER_LIMIT;
        let in_copy = |run: &Run| run.id().is_some() && run.seen().phase != "stream";
        while !has_holder(self.stage) && Instant::now() < limit && self.run.as_ref().is_some_and(in_copy) {
            tokio::time::sleep(HOLDER_POLL).await;
        }
    }

    /// Where there is nothing to strike at, as a holder once the copy is over, the run is killed; none where that had
    /// ended, too.
    async fn strike(&mut self, kind: Kind) -> Result<Option<(Kind, String)>, Error> {
        for kind in [kind, Kind::Run] {
            let run = self.run.as_mut().ok_or(Error::Ended)?;
            if let Some(evidence) = strike_at(kind, self.stage, run).await? {
                return Ok(Some((kind, evidence)));
            }
        }
        Ok(None)
    }

    pub(super) fn record(&mut self, fault: Fault) {
        self.program.narrator.tell(&Event::Result {
            text: format!(
                "{:>3}. {} during `{}`, {}: {}; at work again after {:.1} s, {} runs more",
                self.faults.len() + 1,
                fault.kind,
                fault.during,
                fault.phase,
                fault.evidence,
                fault.outage_seconds,
                fault.runs_again
            ),
        });
        self.faults.push(fault);
    }

    /// Seconds from the beginning.
    pub(super) fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.began).as_secs_f64()
    }

    async fn recover(&mut self, kind: Kind, before: Option<Status>, struck_at: Instant) -> Result<u32, Error> {
        let written = self.stage.source.psql("SELECT pg_catalog.pg_current_wal_flush_lsn()").await?;
        let written: Option<Lsn> = written.trim().parse().ok();
        let mut runs = 0;
        let mut is_silent = matches!(kind, Kind::Silence(_));
        loop {
            if is_silent && struck_at.elapsed() >= SILENCE {
                wake(kind, self.stage);
                is_silent = false;
            }
            let run = self.run.as_mut().ok_or(Error::Ended)?;
            let has_ended = tokio::time::timeout(LOOK_EVERY, run.wait()).await.is_ok();
            if has_ended {
                runs += 1;
                self.again(runs).await?;
            } else if !is_silent
                && let Some(now) = self.look().await
                && is_at_work(&now, before.as_ref(), written)
            {
                return Ok(runs);
            }
            if struck_at.elapsed() >= OUTAGE_LIMIT {
                return Err(Error::Stuck { after: self.after.clone(), seconds: OUTAGE_LIMIT.as_secs(), runs });
            }
        }
    }

    /// Runs the same command again, unless its run has ended as none may.
    async fn again(&mut self, runs: u32) -> Result<(), Error> {
        let ended = self.run.take().ok_or(Error::Ended)?.into_ended().await?;
        self.expect_may_run_again(ended, runs)?;
        tokio::time::sleep(PAUSE).await;
        self.runs_again += 1;
        self.start()
    }

    /// Killed, or failed from outside. Refused is only what sessions of a dead run, which their servers have not missed
    /// yet, keep to themselves, and what has lost its own.
    pub(super) fn expect_may_run_again(&self, ended: Ended, runs: u32) -> Result<(), Error> {
        let (code, signal) = (ended.status.code(), ended.status.signal());
        let source = ended.into_error();
        let said = source.to_string();
        let is_kept = code == Some(REFUSED) && KEPT.iter().any(|code| said.contains(code));
        let may = signal == Some(SIGKILL) || code == Some(FAILED) || is_kept;
        if may && runs <= RUNS_MAX { Ok(()) } else { Err(Error::Run { after: self.after.clone(), source }) }
    }

    /// Where the move is; none while a side cannot be asked, or knows nothing of it.
    async fn look(&self) -> Option<Status> {
        let arguments = self.program.arguments(&["migrate", "status"], &[]);
        let asked = self.program.ask(&arguments, &[0], |_| ());
        let answer = tokio::time::timeout(Duration::from_secs(30), asked).await.ok()?.ok()?;
        answer.read().ok()
    }

    /// Stops watching a run that has been told to end by itself.
    pub(crate) async fn let_go(&mut self) -> Result<(), Error> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let ended = tokio::time::timeout(OUTAGE_LIMIT, run.into_ended()).await;
        let ended = ended.map_err(|_| Error::Ended)??;
        // Told to stop by `finish`, or killed together with its servers.
        if ended.status.success() { Ok(()) } else { self.expect_may_run_again(ended, 0) }
    }
}

/// Strikes at a run, or at what it works with; the evidence. None where there was nothing to strike at, as at a run that
/// had ended by itself.
pub(super) async fn strike_at(kind: Kind, stage: &Stage, run: &mut Run) -> Result<Option<String>, Error> {
    let struck = strike(kind, stage, run.id()).await?;
    if kind != Kind::Run {
        return Ok(struck);
    }
    let Some(evidence) = struck else { return Ok(None) };
    let death = tokio::time::timeout(OUTAGE_LIMIT, run.death()).await.map_err(|_| Error::Ended)??;
    Ok(death.map(|signal| format!("{evidence} ended by signal {signal}")))
}

fn is_at_work(now: &Status, before: Option<&Status>, written: Option<Lsn>) -> bool {
    if !now.running {
        return false;
    }
    if now.phase == "stream" {
        return now.applied_lsn >= written;
    }
    before.is_none_or(|before| {
        (&before.phase, before.tables_done, before.copied_bytes) != (&now.phase, now.tables_done, now.copied_bytes)
    })
}
