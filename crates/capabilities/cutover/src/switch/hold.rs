//! Clients of one database are held: the fence, everything applied, proven, and sequences carried over.

use atalaya_route::OpenEpoch;

use super::prepare::Part;
use super::timing::Timing;
use crate::course::{Means, Unproven};
use crate::report::Report;
use crate::{Error, fence};

/// One database while its clients are held.
pub(super) struct Held {
    pub(super) part: Part,
    pub(super) epoch: OpenEpoch,
    pub(super) report: Report,
}

impl Held {
    /// Everything between the gates, which are closed by now, and the decision.
    pub(super) async fn hold(&mut self, means: &Means, timing: &Timing) -> Result<(), Error> {
        let Self { part, epoch, report } = self;
        let failpoints = &means.failpoints;
        failpoints.reach("cutover-fencing");
        let raising = async {
            let (plan, route) = (&part.plan, &part.course.database);
            let grace = means.limits.grace;
            Ok(fence::raise(&part.leaving, plan, route, epoch.epoch, &part.spared, grace, timing.left()).await?)
        };
        let (raised, took) = timing.within("fence", raising).await?;
        timing.note(took, report);
        (report.sessions_ended, report.sessions_beyond_reach) = (raised.ended, raised.beyond_reach);
        report.fenced_at = Some(raised.fenced_at);
        failpoints.reach("cutover-fenced");

        // Nobody draws from a sequence any more: they go over while the last changes are applied and proven.
        let (direction, replication) = (part.course.direction, means.replication(&part.course)?);
        let failed = |stage| move |source| Error::Replication { stage, source };
        let following = async {
            let passing = replication.pass_marker(direction, raised.fenced_at, timing.left());
            let passing = async { passing.await.map_err(failed("applying the last changes")) };
            let (passed, marked) = timing.within("marker", passing).await?;
            failpoints.reach("cutover-marked");
            if passed.foreign > 0 {
                return Err(Error::Foreign { transactions: passed.foreign });
            }
            let proving = replication.prove(direction, timing.left());
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
            let carrying = replication.carry_sequences(direction, timing.left());
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

    /// Right before the decision, once every database is proven.
    pub(super) async fn recheck(&mut self, means: &Means, timing: &Timing) -> Result<(), Error> {
        let Self { part, report, .. } = self;
        let Some(fenced_at) = report.fenced_at else { return Ok(()) };
        let rechecking = async {
            let foreign = means.replication(&part.course)?.recheck(part.course.direction, fenced_at, timing.left());
            foreign.await.map_err(|source| Error::Replication { stage: "looking for commits of others", source })
        };
        let (foreign, took) = timing.within("recheck", rechecking).await?;
        timing.note(took, report);
        if foreign > 0 {
            return Err(Error::Foreign { transactions: foreign });
        }
        Ok(())
    }
}
