//! The critical section from its opening to its report: all gates of all databases or none, and one decision about all.

use std::time::Duration;

use atalaya_route::{OpenEpoch, Opening};
use futures_util::future::{join_all, try_join_all};
use tokio::time::timeout;

use super::hold::Held;
use super::prepare::{Part, Prepared};
use super::timing::{DRAIN, Timing};
use crate::course::{Means, Purpose};
use crate::courses::Courses;
use crate::report::{GateReport, Outcome, Report, micros};
use crate::{Error, PartError};

/// Every database, held by epochs that are decided together.
pub(super) struct Holding {
    pub(super) courses: Courses,
    pub(super) means: Means,
    pub(super) timing: Timing,
    /// Whichever of them is decided, all are.
    pub(super) epoch: OpenEpoch,
    pub(super) all: Vec<Held>,
}

impl Prepared {
    /// Does it: answers with clients at the new places, or where they were when it was a rehearsal. One report a database, in
    /// the order of the databases' names.
    ///
    /// # Errors
    /// Why it was broken off; all clients are where they were. [`Error::is_unsettled`] says that something is left to do.
    pub async fn run(self) -> Result<Vec<Report>, Error> {
        let epochs = self.open().await?;
        self.means.failpoints.reach("cutover-opened");
        let in_charge = self.is_still_in_charge(&epochs).await;
        let timing = Timing::start(&self.means.limits);
        let Self { courses, means, parts } = self;
        let Some(epoch) = epochs.first().cloned() else { return Ok(Vec::new()) };
        let held = parts.into_iter().zip(epochs).map(|(part, epoch)| {
            let mut report = Report::new(&part.course, &courses, epoch.epoch);
            (report.from_major, report.to_major) = (Some(part.leaving.major()), Some(part.arriving.major()));
            report.prewarmed.clone_from(&part.prewarmed);
            Held { part, epoch, report }
        });
        let all = held.collect();
        let mut holding = Holding { courses, means, timing, epoch, all };
        let held = match in_charge {
            Ok(()) => holding.hold().await,
            Err(error) => Err(error),
        };
        let ended = match held {
            Ok(()) => holding.decide().await,
            Err(error) => holding.break_off(error).await,
        };
        holding.report(ended).await
    }

    async fn open(&self) -> Result<Vec<OpenEpoch>, Error> {
        self.means.failpoints.reach("cutover-opening");
        let opening = |Part { course, named, lift, .. }: &Part| Opening {
            migration: course.migration.clone(),
            from: course.from.clone(),
            to: course.to.clone(),
            gates: named.clone(),
            lease: self.means.limits.lease(),
            lift: lift.clone(),
            rehearsal: course.purpose == Purpose::Rehearse,
        };
        let openings = self.parts.iter().map(|part| (part.course.database.clone(), opening(part)));
        let opened = self.means.routes.open_together(openings.collect()).await;
        opened.map_err(|error| if error.is_refusal() { error.into() } else { Error::Undecided(error) })
    }

    /// Whoever comes from here on finds the epochs open; before, being in charge has kept them out.
    async fn is_still_in_charge(&self, epochs: &[OpenEpoch]) -> Result<(), Error> {
        let looking = self.parts.iter().zip(epochs).map(|(part, epoch)| async move {
            let in_charge = match epoch.epoch == part.epoch {
                true => self.means.take_charge(&part.course).await,
                false => Err(Error::OtherEpoch { opened: epoch.epoch, foreseen: part.epoch }),
            };
            in_charge.map_err(|error| error.of(&part.course, &self.courses))
        });
        try_join_all(looking).await.map(drop)
    }
}

impl Holding {
    /// Closes all gates before anything is fenced: nothing was cut where a transaction goes on for too long.
    async fn hold(&mut self) -> Result<(), Error> {
        let (armed, took) = self.timing.measured(DRAIN, self.arm()).await;
        for (held, gateways) in self.all.iter_mut().zip(armed?) {
            self.timing.note(took, &mut held.report);
            held.report.gateways = gateways;
        }
        self.means.failpoints.reach("cutover-armed");
        let (courses, means, timing) = (&self.courses, &self.means, &self.timing);
        let holding = self.all.iter_mut().map(|held| async move {
            let done = held.hold(means, timing).await;
            done.map_err(|error| error.of(&held.part.course, courses))
        });
        try_join_all(holding).await?;
        means.failpoints.reach("cutover-rechecking");
        let looking = self.all.iter_mut().map(|held| async move {
            let done = held.recheck(means, timing).await;
            done.map_err(|error| error.of(&held.part.course, courses))
        });
        try_join_all(looking).await.map(drop)
    }

    /// All gates of all databases or none: who is armed when another one refuses, or says nothing in time, is opened again by the
    /// closed epochs.
    async fn arm(&self) -> Result<Vec<Vec<GateReport>>, Error> {
        let left = self.timing.left();
        let drain_limit = self.timing.drain_max().min(left);
        let arming = self.all.iter().map(|Held { part, epoch, .. }| {
            let asked = part.gates.iter().map(move |gate| async move {
                let gateway = gate.address().to_owned();
                let arming = timeout(left, gate.arm(&part.course.database, epoch.epoch, drain_limit)).await;
                match arming.unwrap_or_else(|_| Err(late(left))) {
                    Ok(armed) => Ok(GateReport { gateway, drained_us: micros(armed.drained), ..GateReport::default() }),
                    Err(source) => Err(Error::Gate { gateway, source }.of(&part.course, &self.courses)),
                }
            });
            async { join_all(asked).await.into_iter().collect::<Result<Vec<_>, Error>>() }
        });
        // Each is waited for: one that is armed late must hear of the decision behind it.
        join_all(arming).await.into_iter().collect()
    }

    /// Writes down what it came to.
    async fn report(self, ended: Result<(), Error>) -> Result<Vec<Report>, Error> {
        let mut reports: Vec<Report> = self.all.into_iter().map(|held| held.report).collect();
        for report in &mut reports {
            if let Err(error) = &ended
                && let Outcome::Closed { by, reason } = &mut report.outcome
                && reason.is_empty()
            {
                (*by, *reason) = (self.means.by.clone(), atalaya_data::chain(error));
            }
        }
        record(&mut reports, &self.means).await;
        self.means.failpoints.reach("cutover-reported");
        ended.map(|()| reports)
    }
}

/// Why a gate was waited for no longer. Each has its own limit, so that the one that is slow is named.
fn late(left: Duration) -> PartError {
    let late = Error::OutOfTime { stage: DRAIN, left };
    PartError { hint: late.hint(), text: late.to_string() }
}

/// Writes reports down; where the journal does not take them, they say so.
pub(super) async fn record(reports: &mut [Report], means: &Means) {
    if let Err(error) = Report::record(reports, means.routes.store()).await {
        let remark = format!("the journal has no report: {}", atalaya_data::chain(&error));
        reports.iter_mut().for_each(|report| report.remarks.push(remark.clone()));
    }
}
