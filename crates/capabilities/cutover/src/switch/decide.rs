//! The decision, and what follows of it.

use std::future::Future;
use std::time::Duration;

use atalaya_postgres::Session;
use atalaya_route::{Decision, OpenEpoch};
use futures_util::future::{join, join_all};

use super::prepare::{APPLICATION, Prepared};
use super::timing::{Timing, Took};
use crate::Error;
use crate::course::{Course, Means, Purpose};
use crate::fence::{self, FenceError};
use crate::report::{GateReport, Outcome, Report, micros};

/// How long the journal is asked for what it says when it does not answer. Gates stay shut meanwhile, whoever asks.
const JOURNAL_LIMIT: Duration = Duration::from_secs(10);
/// How long the server that is let in again is tried.
const LIFT_LIMIT: Duration = Duration::from_secs(10);
/// How long one attempt of that may take: somebody may hold a lock, or the server say nothing at all.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(3);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// Why an epoch of a rehearsal is closed.
const REHEARSED: &str = "it was a rehearsal";

impl Prepared {
    /// Everything is done but the decision.
    pub(super) async fn decide(&self, epoch: &OpenEpoch, timing: &Timing, report: &mut Report) -> Result<(), Error> {
        let (routes, by) = (&self.means.routes, &self.means.by);
        if self.course.purpose == Purpose::Rehearse {
            self.means.failpoints.reach("cutover-closing");
            let (closed, took) = timing.measured("close", decided(|| routes.close(epoch, by, REHEARSED))).await;
            timing.note(took, report);
            let closed = closed?;
            report.outcome = match &closed {
                Decision::Closed { by, reason, .. } if reason == REHEARSED && *by == self.means.by => {
                    Outcome::Rehearsed
                }
                decision => outcome_of(decision),
            };
            return self.end(closed, timing, report).await;
        }
        self.means.failpoints.reach("cutover-flipping");
        let (flipped, took) = timing.measured("flip", decided(|| routes.flip(epoch, by))).await;
        timing.note(took, report);
        let flipped = flipped?;
        report.outcome = outcome_of(&flipped);
        if let Decision::Flipped { .. } = &flipped {
            self.means.failpoints.reach("cutover-flipped");
        }
        self.end(flipped, timing, report).await
    }

    /// Follows the decision; one that somebody else has taken is told.
    async fn end(&self, decision: Decision, timing: &Timing, report: &mut Report) -> Result<(), Error> {
        self.follow(&decision, timing, report).await?;
        match (&report.outcome, decision) {
            (Outcome::Closed { .. }, Decision::Closed { by, reason, .. }) => Err(Error::Closed { by, reason }),
            _ => Ok(()),
        }
    }

    /// Closes the epoch, for a reason.
    pub(super) async fn break_off(
        &self,
        epoch: &OpenEpoch,
        error: Error,
        timing: &Timing,
        report: &mut Report,
    ) -> Result<(), Error> {
        let reason = atalaya_data::chain(&error);
        tracing::warn!(database = self.course.database, epoch = epoch.epoch, reason, "the cutover is broken off");
        self.means.failpoints.reach("cutover-closing");
        let (routes, by) = (&self.means.routes, &self.means.by);
        let (closed, took) = timing.measured("close", decided(|| routes.close(epoch, by, &reason))).await;
        timing.note(took, report);
        let closed = closed?;
        report.outcome = outcome_of(&closed);
        self.follow(&closed, timing, report).await?;
        // Somebody else may have led clients away with the same epoch: then that is what was asked for.
        if report.outcome == Outcome::Flipped { Ok(()) } else { Err(error) }
    }

    async fn follow(&self, decision: &Decision, timing: &Timing, report: &mut Report) -> Result<(), Error> {
        let what = Followed {
            course: &self.course,
            means: &self.means,
            leaving: &self.spare,
            arriving: &self.arriving,
            lift: &self.lift,
        };
        what.follow(decision, Some(timing), report).await
    }
}

/// What a decision is followed with.
pub(super) struct Followed<'a> {
    pub(super) course: &'a Course,
    pub(super) means: &'a Means,
    pub(super) leaving: &'a Session,
    pub(super) arriving: &'a Session,
    pub(super) lift: &'a [String],
}

impl Followed<'_> {
    /// Lets clients in where the decision leads them, and opens the gates.
    pub(super) async fn follow(
        &self,
        decision: &Decision,
        timing: Option<&Timing>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let (Decision::Flipped { epoch, .. } | Decision::Closed { epoch, .. }) = decision;
        let failpoints = &self.means.failpoints;
        // Gates let clients in by themselves before they open, and open even where that fails, since a superuser's clients
        // get in: neither has to wait for the other.
        failpoints.reach("cutover-settling");
        let ((lifted, let_in), (settled, opened)) =
            join(self.let_in_by(decision, timing), measured(timing, "settle", self.settle(*epoch))).await;
        for took in [let_in, opened].into_iter().flatten() {
            if let Some(timing) = timing {
                timing.note(took, report);
            }
        }
        for gate in settled {
            match report.gateways.iter_mut().find(|known| known.gateway == gate.gateway) {
                Some(known) => *known = GateReport { drained_us: known.drained_us, ..gate },
                None => report.gateways.push(gate),
            }
        }
        if let Some(timing) = timing {
            report.pause_us = timing.so_far_us();
        }
        failpoints.reach("cutover-settled");
        lifted
    }

    async fn let_in_by(&self, decision: &Decision, timing: Option<&Timing>) -> (Result<(), Error>, Option<Took>) {
        let failpoints = &self.means.failpoints;
        let (done, let_in) = match decision {
            Decision::Flipped { epoch, .. } => {
                ("cutover-admitted", measured(timing, "admit", self.admit(*epoch)).await)
            }
            Decision::Closed { .. } => {
                failpoints.reach("cutover-closed");
                ("cutover-lifted", measured(timing, "lift", self.lift()).await)
            }
        };
        if let_in.0.is_ok() {
            failpoints.reach(done);
        }
        let_in
    }

    /// The place that clients are led to may be fenced from when they were led away from it.
    async fn admit(&self, epoch: u64) -> Result<(), Error> {
        let before = epoch.saturating_sub(1);
        self.let_in(&self.course.to, self.arriving, Letting::Standing { route: &self.course.database, before }).await
    }

    async fn lift(&self) -> Result<(), Error> {
        self.let_in(&self.course.from, self.leaving, Letting::Planned(self.lift)).await
    }

    /// Over the session at hand first, then over new ones, until it is done or has taken too long.
    async fn let_in(&self, place: &str, session: &Session, letting: Letting<'_>) -> Result<(), Error> {
        let url = self.means.url(place)?;
        let until = tokio::time::Instant::now() + LIFT_LIMIT;
        let mut lifted = in_time(letting.done_by(session)).await;
        while let Err(error) = lifted {
            if tokio::time::Instant::now() >= until {
                return Err(Error::Unlifted { place: place.to_owned(), source: error });
            }
            tokio::time::sleep(PAUSE).await;
            lifted =
                in_time(async { letting.done_by(&Session::connect_for_control(url, APPLICATION).await?).await }).await;
        }
        Ok(())
    }

    async fn settle(&self, epoch: u64) -> Vec<GateReport> {
        let asked = self.means.gates.iter().map(|gate| async move {
            let gateway = gate.address().to_owned();
            match gate.settle(&self.course.database, epoch).await {
                Ok(settled) => GateReport {
                    gateway,
                    drained_us: 0,
                    paused_us: micros(settled.paused),
                    clients_held: settled.held,
                    clients_ended: settled.ended,
                    longest_wait_us: micros(settled.longest_wait),
                    unsettled: None,
                },
                Err(error) => GateReport { gateway, unsettled: Some(error.to_string()), ..GateReport::default() },
            }
        });
        join_all(asked).await
    }
}

/// How clients are let in again.
enum Letting<'a> {
    /// By what the server itself has kept of a fence up to an epoch.
    Standing { route: &'a str, before: u64 },
    /// By the statements of this epoch.
    Planned(&'a [String]),
}

impl Letting<'_> {
    async fn done_by(&self, session: &Session) -> Result<(), FenceError> {
        match self {
            Self::Standing { route, before } => fence::lift_standing(session, route, *before).await.map(drop),
            Self::Planned(statements) => fence::lift(session, statements).await,
        }
    }
}

async fn in_time(attempt: impl Future<Output = Result<(), FenceError>>) -> Result<(), FenceError> {
    let limit = ATTEMPT_LIMIT;
    tokio::time::timeout(limit, attempt).await.unwrap_or(Err(FenceError::NoAnswer { limit }))
}

async fn measured<T>(timing: Option<&Timing>, stage: &'static str, work: impl Future<Output = T>) -> (T, Option<Took>) {
    let Some(timing) = timing else { return (work.await, None) };
    let (done, took) = timing.measured(stage, work).await;
    (done, Some(took))
}

/// What the journal says, asked until it answers: the same append again has one effect.
pub(super) async fn decided<F>(mut ask: impl FnMut() -> F) -> Result<Decision, Error>
where
    F: Future<Output = Result<Decision, atalaya_route::Error>>,
{
    let until = tokio::time::Instant::now() + JOURNAL_LIMIT;
    loop {
        match ask().await {
            Ok(decision) => return Ok(decision),
            Err(error) if error.is_refusal() => return Err(error.into()),
            Err(error) if tokio::time::Instant::now() >= until => return Err(Error::Undecided(error)),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

pub(super) fn outcome_of(decision: &Decision) -> Outcome {
    match decision.clone() {
        Decision::Flipped { .. } => Outcome::Flipped,
        Decision::Closed { by, reason, .. } => Outcome::Closed { by, reason },
    }
}
