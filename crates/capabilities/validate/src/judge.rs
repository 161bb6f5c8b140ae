//! One table compared and judged; an error of the server is a result of the table, not the end of all.

use std::time::Instant;

use atalaya_control::touched::KeyBlock;

use crate::compare::compare;
use crate::findings::{Described, describe, identify};
use crate::merge::{Group, Tally};
use crate::moment::{Opened, Pair};
use crate::outcome::Outcome;
use crate::proof::{Decision, KeyedOutcome, NotedKeys, Verdict, compare_keys, decide};
use crate::repair::RowIdentity;
use crate::rewritten::is_rewritten;
use crate::survey::Survey;
use crate::unit::Unit;
use crate::{Error, Method, Moment, Plan, Scope, Shown, TableReport, TableStatus};

/// Differing keys that can be looked at again or repaired in one run.
pub(crate) const KEPT_GROUPS_MAX: usize = 100_000;

/// A table's result.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Which of the survey's units.
    pub(crate) unit: usize,
    /// What is said of it.
    pub(crate) report: TableReport,
    /// Whether rows are still to be looked at again.
    pub(crate) open: bool,
    /// What earlier looks have found to stay different.
    pub(crate) settled: Tally,
    /// The differing keys, where they are looked at again.
    pub(crate) groups: Vec<Group>,
    /// The differing rows' identities, where a repair wants them.
    pub(crate) identities: Vec<RowIdentity>,
    /// Whether more keys differ than are kept.
    pub(crate) cut: bool,
    /// Whether the snapshot's age limit ended it.
    pub(crate) out_of_time: bool,
    /// Whether it was emptied or rewritten before it was looked at, so that the look says nothing.
    pub(crate) rewritten: bool,
    /// What is known of the table from here on, where a proof of it came to an end.
    pub(crate) verdict: Option<Verdict>,
}

/// Compares one table.
///
/// # Errors
/// Only where nothing more can be done in this pair of sessions, as when a connection is lost.
pub(crate) async fn judge(
    plan: &Plan,
    survey: &Survey,
    opened: &Opened,
    pair: &Pair,
    number: usize,
    unit: &Unit,
) -> Result<Judged, Error> {
    let started_at = Instant::now();
    let mut judged = Judged {
        unit: number,
        report: empty_report(unit),
        open: false,
        settled: Tally::default(),
        groups: Vec::new(),
        identities: Vec::new(),
        cut: false,
        out_of_time: false,
        rewritten: false,
        verdict: None,
    };
    let standing = opened.standing.as_ref();
    let decision = match (plan.method, standing) {
        (Method::Touched { full_age_max }, Some(standing)) => decide(unit, standing, full_age_max),
        _ => Decision::Full,
    };
    if decision != Decision::Full {
        judged.report.full_age_seconds = standing.and_then(|standing| standing.of(&unit.target_name)?.full_age_seconds);
    }
    if decision == Decision::Untouched {
        judged.report.status = TableStatus::Equal;
        judged.report.shown_by = Shown::Untouched;
        return Ok(judged);
    }
    pair.set_savepoint().await?;
    let work = Work { plan, survey, pair, unit };
    match work.compare_and_describe(&decision, &mut judged).await {
        Ok(()) => {
            judged.rewritten = is_rewritten(pair, unit).await?;
            if judged.rewritten {
                say_rewritten(&mut judged);
            }
        }
        Err(Error::Postgres(error)) if error.sqlstate().is_some() => {
            fail(plan, &mut judged, &error);
        }
        Err(error) => return Err(error),
    }
    pair.roll_back().await?;
    judged.report.seconds = started_at.elapsed().as_secs_f64();
    Ok(judged)
}

/// One table in one pair of sessions.
struct Work<'all> {
    plan: &'all Plan,
    survey: &'all Survey,
    pair: &'all Pair,
    unit: &'all Unit,
}

impl Work<'_> {
    async fn compare_and_describe(&self, decision: &Decision, judged: &mut Judged) -> Result<(), Error> {
        let Self { plan, survey, pair, unit } = *self;
        pair.limit_statements().await?;
        let keyed = match decision {
            Decision::Keys => self.compare_noted().await?,
            Decision::Full | Decision::Untouched => None,
        };
        let (outcome, open) = match keyed {
            Some(keyed) => {
                judged.report.shown_by = Shown::Keys;
                judged.report.touched_keys = keyed.keys;
                (keyed.outcome, Some(keyed.open))
            }
            None => {
                judged.report.full_age_seconds = None;
                (compare(pair, unit, plan.method, KEPT_GROUPS_MAX).await?, None)
            }
        };
        judged.report.source_rows = outcome.source_rows;
        judged.report.target_rows = outcome.target_rows;
        judged.cut = outcome.cut;
        if let Scope::Databases { moment: Moment::Looks { .. } } = plan.scope {
            set_tally(&mut judged.report, outcome.tally);
            judged.open = !outcome.tally.is_zero();
            judged.groups = outcome.groups;
            return Ok(());
        }
        let listed = list(plan, survey, pair, unit, &outcome).await?;
        set_tally(&mut judged.report, listed.tally);
        judged.report.findings = listed.findings;
        judged.verdict = self.verdict(&mut judged.report, open);
        if plan.collect_identities {
            judged.identities = identify(pair, unit, survey, &outcome.groups).await?;
        }
        Ok(())
    }

    /// Compares the keys that are noted; none when only a comparison of every row can tell.
    async fn compare_noted(&self) -> Result<Option<KeyedOutcome>, Error> {
        let (Scope::Migration { name } | Scope::Drained { name }) = &self.plan.scope else { return Ok(None) };
        match NotedKeys::read(&self.pair.target, name, &self.unit.target_name).await? {
            Some(noted) => compare_keys(self.pair, self.unit, &noted, KEPT_GROUPS_MAX).await,
            None => Ok(None),
        }
    }

    /// What a comparison proves, when it looked at whole rows; a table that is proven in full has no age.
    fn verdict(&self, report: &mut TableReport, open: Option<Vec<KeyBlock>>) -> Option<Verdict> {
        let equal = report.status == TableStatus::Equal;
        if !matches!(self.plan.method, Method::Full | Method::Touched { .. }) {
            return None;
        }
        match (open, equal) {
            (Some(_), true) => Some(Verdict::Keys(Vec::new())),
            (Some(open), false) => Some(Verdict::Keys(open)),
            (None, true) => {
                report.full_age_seconds = Some(0.0);
                Some(Verdict::FullEqual)
            }
            (None, false) => Some(Verdict::FullDifferent),
        }
    }
}

/// Finds out what an outcome's differing rows are, as many as may be listed.
pub(crate) async fn list(
    plan: &Plan,
    survey: &Survey,
    pair: &Pair,
    unit: &Unit,
    outcome: &Outcome,
) -> Result<Described, Error> {
    if outcome.tally.is_zero() {
        return Ok(Described::default());
    }
    pair.limit_statements().await?;
    let listed_max = plan.listed_max;
    let mut described = describe(pair, unit, survey, &outcome.groups, listed_max, plan.show_values).await?;
    let total = outcome.tally.missing + outcome.tally.extra + outcome.tally.different;
    // What the texts say of every differing row is better than what their hashes said; of some rows it is not.
    if described.read != total {
        described.tally = outcome.tally;
    }
    Ok(described)
}

/// Takes over the numbers and decides the status by them.
pub(crate) fn set_tally(report: &mut TableReport, tally: Tally) {
    report.missing = tally.missing;
    report.extra = tally.extra;
    report.different = tally.different;
    let same_columns = report.missing_columns.is_empty() && report.extra_columns.is_empty();
    report.status = if tally.is_zero() && same_columns { TableStatus::Equal } else { TableStatus::Different };
}

pub(crate) fn fail(plan: &Plan, judged: &mut Judged, error: &atalaya_postgres::Error) {
    let report = &mut judged.report;
    match error.sqlstate() {
        Some("57014") => {
            judged.out_of_time = true;
            report.status = TableStatus::NotProven;
            report.note =
                Some(format!("not done within the age limit of its snapshot, {} s", plan.snapshot_age_limit.as_secs()));
            report.hint = Some("raise the limit, or compare the table when the servers are less busy".to_owned());
        }
        code => {
            report.status = TableStatus::Failed;
            report.refused = code == Some("42501");
            report.note = Some(atalaya_data::chain(error));
            report.hint = error.hint();
        }
    }
}

/// Takes back what was found in a table that the snapshot no longer shows.
fn say_rewritten(judged: &mut Judged) {
    set_tally(&mut judged.report, Tally::default());
    (judged.open, judged.verdict) = (false, None);
    judged.groups.clear();
    judged.identities.clear();
    let report = &mut judged.report;
    report.findings.clear();
    report.status = TableStatus::NotProven;
    report.note = Some("it was emptied or rewritten each time before it could be looked at".to_owned());
    report.hint = Some("compare it again when nobody truncates or rewrites it".to_owned());
}

fn empty_report(unit: &Unit) -> TableReport {
    TableReport {
        source: unit.source_name.clone(),
        target: unit.target_name.clone(),
        status: TableStatus::NotProven,
        shown_by: Shown::Rows,
        touched_keys: 0,
        full_age_seconds: None,
        keyed: unit.keyed(),
        source_rows: 0,
        target_rows: 0,
        missing: 0,
        extra: 0,
        different: 0,
        unstable: 0,
        missing_columns: unit.missing_columns.clone(),
        extra_columns: unit.extra_columns.clone(),
        findings: Vec::new(),
        note: None,
        hint: None,
        refused: false,
        seconds: 0.0,
    }
}
