//! Clients are held: all gates or none, the fence, everything applied, proven, and sequences carried over.

use atalaya_route::{OpenEpoch, Opening};
use futures_util::future::join_all;

use super::prepare::Prepared;
use super::timing::Timing;
use crate::course::{Purpose, Unproven};
use crate::report::{GateReport, Outcome, Report, micros};
use crate::{Error, fence};

impl Prepared {
    /// Does it: answers with clients at the new place, or where they were when it was a rehearsal.
    ///
    /// # Errors
    /// Why it was broken off; clients are where they were. [`Error::is_unsettled`] says that something is left to do.
    pub async fn run(self) -> Result<Report, Error> {
        let mut report = Report::new(self.course.clone(), self.epoch);
        let epoch = self.open().await?;
        self.means.failpoints.reach("cutover-opened");
        let timing = Timing::start(self.means.limits.max_pause);
        let held = match epoch.epoch == self.epoch {
            true => self.hold(&epoch, &timing, &mut report).await,
            false => Err(Error::OtherEpoch { opened: epoch.epoch, foreseen: self.epoch }),
        };
        let ended = match held {
            Ok(()) => self.decide(&epoch, &timing, &mut report).await,
            Err(error) => self.break_off(&epoch, error, &timing, &mut report).await,
        };
        if let Err(error) = &ended
            && let Outcome::Closed { by, reason } = &mut report.outcome
            && reason.is_empty()
        {
            (*by, *reason) = (self.means.by.clone(), atalaya_data::chain(error));
        }
        if let Err(error) = report.record(self.means.routes.store()).await {
            report.remarks.push(format!("the journal has no report: {}", atalaya_data::chain(&error)));
        }
        self.means.failpoints.reach("cutover-reported");
        ended.map(|()| report)
    }

    async fn open(&self) -> Result<OpenEpoch, Error> {
        self.means.failpoints.reach("cutover-opening");
        let opening = Opening {
            migration: self.course.migration.clone(),
            from: self.course.from.clone(),
            to: self.course.to.clone(),
            gates: self.gates.clone(),
            lease: self.means.limits.max_pause,
            lift: self.lift.clone(),
            rehearsal: self.course.purpose == Purpose::Rehearse,
        };
        let opened = self.means.routes.open(&self.course.database, opening).await;
        opened.map_err(|error| if error.is_refusal() { error.into() } else { Error::Undecided(error) })
    }

    async fn hold(&self, epoch: &OpenEpoch, timing: &Timing, report: &mut Report) -> Result<(), Error> {
        let (means, failpoints) = (&self.means, &self.means.failpoints);
        let (armed, took) = timing.within("drain", self.arm(epoch, timing)).await?;
        timing.note(took, report);
        report.gateways = armed;
        failpoints.reach("cutover-armed");

        failpoints.reach("cutover-fencing");
        let raising = async {
            let (plan, route) = (&self.plan, &self.course.database);
            Ok(fence::raise(&self.leaving, plan, route, epoch.epoch, &self.spared, timing.left()).await?)
        };
        let (raised, took) = timing.within("fence", raising).await?;
        timing.note(took, report);
        (report.sessions_ended, report.sessions_beyond_reach) = (raised.ended, raised.beyond_reach);
        report.fenced_at = Some(raised.fenced_at);
        failpoints.reach("cutover-fenced");

        // Nobody draws from a sequence any more: they go over while the last changes are applied and proven.
        let direction = self.course.direction;
        let failed = |stage| move |source| Error::Replication { stage, source };
        let following = async {
            let passing = means.replication.pass_marker(direction, raised.fenced_at, timing.left());
            let passing = async { passing.await.map_err(failed("applying the last changes")) };
            let (passed, marked) = timing.within("marker", passing).await?;
            failpoints.reach("cutover-marked");
            if passed.foreign > 0 {
                return Err(Error::Foreign { transactions: passed.foreign });
            }
            let proving = means.replication.prove(direction, timing.left());
            let proving = async { proving.await.map_err(failed("proving both sides equal")) };
            let (proven, compared) = timing.within("proof", proving).await?;
            failpoints.reach("cutover-proven");
            if !proven.different.is_empty() {
                return Err(Error::Different { tables: proven.different });
            }
            if !proven.unproven.is_empty() && means.unproven == Unproven::Refuse {
                return Err(Error::Unproven { tables: proven.unproven });
            }
            Ok((passed, marked, proven, compared))
        };
        let carrying = async {
            let carrying = means.replication.carry_sequences(direction, timing.left());
            let carrying = async { carrying.await.map_err(failed("carrying sequences over")) };
            let carried = timing.within("sequences", carrying).await;
            failpoints.reach("cutover-sequences-set");
            carried
        };
        let ((passed, marked, proven, compared), (sequences, set)) = tokio::try_join!(following, carrying)?;
        for took in [marked, compared, set] {
            timing.note(took, report);
        }
        if !proven.unproven.is_empty() {
            let remark =
                format!("tables that were not proven, as --allow-unproven allows: {}", proven.unproven.join(", "));
            report.remarks.push(remark);
        }
        report.unproven = proven.unproven;
        (report.marker, report.rows_proven, report.sequences) = (Some(passed.marker), proven.rows, sequences);
        Ok(())
    }

    /// All gates or none: who is armed when another one refuses is opened again by the closed epoch.
    async fn arm(&self, epoch: &OpenEpoch, timing: &Timing) -> Result<Vec<GateReport>, Error> {
        let drain_limit = timing.drain_max().min(timing.left());
        let asked = self.means.gates.iter().map(|gate| async move {
            let gateway = gate.address().to_owned();
            match gate.arm(&self.course.database, epoch.epoch, drain_limit).await {
                Ok(armed) => Ok(GateReport { gateway, drained_us: micros(armed.drained), ..GateReport::default() }),
                Err(source) => Err(Error::Gate { gateway, source }),
            }
        });
        join_all(asked).await.into_iter().collect()
    }
}
