//! The decision, and what follows of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use atalaya_postgres::Session;
use atalaya_route::Decision;
use futures_util::future::{join, join_all};

use super::hold::Held;
use super::prepare::APPLICATION;
use super::run::Holding;
use super::timing::{Timing, Took};
use crate::commands::COMMANDS;
use crate::course::{Course, Means, Purpose};
use crate::fence::{self, FenceError};
use crate::gate::GateKind;
use crate::report::{CommandKind, GateReport, Outcome, Report, micros};
use crate::{Error, TrafficGate};

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

impl Holding {
    /// Everything is done but the decision.
    pub(super) async fn decide(&mut self) -> Result<(), Error> {
        let (epoch, timing) = (self.epoch.clone(), self.timing);
        let (routes, by) = (self.means.routes.clone(), self.means.by.clone());
        if self.courses.first().purpose == Purpose::Rehearse {
            self.means.failpoints.reach("cutover-closing");
            let (closed, took) = timing.measured("close", decided(|| routes.close(&epoch, &by, REHEARSED))).await;
            self.note(took);
            let closed = closed?;
            let outcome = match &closed {
                Decision::Closed { by: who, reason, .. } if reason == REHEARSED && *who == by => Outcome::Rehearsed,
                decision => outcome_of(decision),
            };
            return self.end(closed, &outcome).await;
        }
        self.means.failpoints.reach("cutover-flipping");
        let (flipped, took) = timing.measured("flip", decided(|| routes.flip(&epoch, &by))).await;
        self.note(took);
        let flipped = flipped?;
        if let Decision::Flipped { .. } = &flipped {
            self.means.failpoints.reach("cutover-flipped");
        }
        let outcome = outcome_of(&flipped);
        self.end(flipped, &outcome).await
    }

    /// Follows the decision; one that somebody else has taken is told.
    async fn end(&mut self, decision: Decision, outcome: &Outcome) -> Result<(), Error> {
        self.follow(&decision, outcome).await?;
        match (outcome, decision) {
            (Outcome::Closed { .. }, Decision::Closed { by, reason, .. }) => Err(Error::Closed { by, reason }),
            _ => Ok(()),
        }
    }

    /// Closes the epochs, for a reason.
    pub(super) async fn break_off(&mut self, error: Error) -> Result<(), Error> {
        let reason = atalaya_data::chain(&error);
        let (epoch, timing) = (self.epoch.clone(), self.timing);
        tracing::warn!(database = epoch.database, epoch = epoch.epoch, reason, "the cutover is broken off");
        self.means.failpoints.reach("cutover-closing");
        let (routes, by) = (self.means.routes.clone(), self.means.by.clone());
        let (closed, took) = timing.measured("close", decided(|| routes.close(&epoch, &by, &reason))).await;
        self.note(took);
        let closed = closed?;
        let outcome = outcome_of(&closed);
        self.follow(&closed, &outcome).await?;
        // Somebody else may have led clients away with the same epoch: then that is what was asked for.
        if outcome == Outcome::Flipped { Ok(()) } else { Err(error) }
    }

    fn note(&mut self, took: Took) {
        self.all.iter_mut().for_each(|held| self.timing.note(took, &mut held.report));
    }

    /// Each database by itself: what one server does not answer keeps no other one's clients waiting.
    async fn follow(&mut self, decision: &Decision, outcome: &Outcome) -> Result<(), Error> {
        let (courses, means, timing) = (&self.courses, &self.means, &self.timing);
        let following = self.all.iter_mut().map(|Held { part, epoch, report }| async move {
            report.outcome = outcome.clone();
            let what = Followed {
                course: &part.course,
                means,
                gates: &part.gates,
                leaving: &part.spare,
                arriving: &part.arriving,
                lift: &part.lift,
            };
            let followed = what.follow(&epoch.under(decision), Some(timing), report).await;
            followed.map_err(|error| error.of(&part.course, courses))
        });
        join_all(following).await.into_iter().collect()
    }
}

/// What a decision is followed with.
pub(super) struct Followed<'a> {
    pub(super) course: &'a Course,
    pub(super) means: &'a Means,
    pub(super) gates: &'a [Arc<dyn TrafficGate>],
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
        self.gates.iter().for_each(|gate| gate.follows(&self.course.database));
        // Gateways let clients in by themselves before they open, and open even where that fails, since a superuser's clients
        // get in: neither has to wait for the other.
        failpoints.reach("cutover-settling");
        let is_gateway = |gate: &&Arc<dyn TrafficGate>| gate.kind() == GateKind::Gateway;
        let (gateways, by_commands): (Vec<_>, Vec<_>) = self.gates.iter().partition(is_gateway);
        let ((lifted, let_in), (mut settled, opened)) =
            join(self.let_in_by(decision, timing), measured(timing, "settle", self.settle(&gateways, *epoch))).await;
        // Whom a command leads, or lets go on, meets the server at once: it has to let him in by then. Where it does not, the
        // same course does both later.
        let (opened, mut led) = (opened.filter(|_| !gateways.is_empty()), None);
        if lifted.is_ok() && !by_commands.is_empty() {
            let (more, took) = measured(timing, "commands", self.settle(&by_commands, *epoch)).await;
            settled.extend(more);
            led = took;
        }
        for took in [let_in, opened, led].into_iter().flatten() {
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
        report.commands = self.gates.iter().flat_map(|gate| gate.ran(&self.course.database)).collect();
        let unreleased = report.commands.iter().filter(|ran| ran.command == CommandKind::Release);
        let remark = |why: &String| format!("clients may be held still: --release-command: {why}");
        report.remarks.extend(unreleased.filter_map(|ran| ran.failure.as_ref()).map(remark));
        report.gateways.retain(|gate| gate.gateway != COMMANDS);
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
        let url = self.means.url(self.course, place)?;
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

    async fn settle(&self, gates: &[&Arc<dyn TrafficGate>], epoch: u64) -> Vec<GateReport> {
        let asked = gates.iter().map(|gate| async move {
            let gateway = gate.address().to_owned();
            match gate.settle(&self.course.database, epoch).await {
                Ok(settled) => settled.map(|settled| GateReport {
                    gateway,
                    drained_us: 0,
                    paused_us: micros(settled.paused),
                    clients_held: settled.held,
                    clients_ended: settled.ended,
                    clients_misled: settled.misled,
                    failed: settled.failed,
                    longest_wait_us: micros(settled.longest_wait),
                    unsettled: None,
                }),
                Err(error) => Some(GateReport { gateway, unsettled: Some(error.to_string()), ..GateReport::default() }),
            }
        });
        join_all(asked).await.into_iter().flatten().collect()
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
