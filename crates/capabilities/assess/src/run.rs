//! Runs every check over one reading of both sides.

use atalaya_data::chain;
use futures_util::{StreamExt, TryStreamExt};

use crate::facts::Side;
use crate::report::Sides;
use crate::{ALL, Check, CheckResult, Error, Facts, Finding, Outcome, Plan, Report, Severity, SideSummary, checks};

/// Checks that are under way at once.
const AT_ONCE: usize = 8;

/// Looks at both sides and runs every check; alters nothing.
///
/// # Errors
/// When a side cannot be reached or read at all, or a tolerated check does not exist. A check that could
/// not look (no privilege, a timeout) is a finding in the report instead, never a silent pass.
pub async fn assess(plan: Plan) -> Result<Report, Error> {
    if let Some(unknown) = plan.options.tolerated.iter().find(|id| checks::find(id).is_none()) {
        return Err(Error::UnknownCheck(unknown.clone()));
    }
    let facts = Facts::read(plan).await?;
    // Each only asks, and none opens a transaction: several questions may be on their way.
    let running = futures_util::stream::iter(ALL.iter().map(|check| run_one(check, &facts)));
    let results = running.buffered(AT_ONCE).try_collect().await?;
    let sides = Sides {
        source: summary(&facts.source),
        target: summary(&facts.target),
        standby: facts.standby.as_ref().map(summary),
    };
    Ok(Report::new(sides, facts.options.strict, results))
}

async fn run_one(check: &Check, facts: &Facts) -> Result<CheckResult, Error> {
    let tolerated = facts.options.tolerated.iter().any(|id| id == check.id);
    match (check.run)(facts).await {
        Ok(Outcome::Looked(findings)) => Ok(CheckResult::looked(check, findings, tolerated)),
        Ok(Outcome::NotApplicable(reason)) => Ok(CheckResult::not_applicable(check, reason)),
        Err(error) if error.ends_everything() => Err(error),
        Err(error) => Ok(CheckResult::looked(check, vec![unable(check, &error)], tolerated)),
    }
}

/// What was not seen counts as badly as the worst that could have been seen.
fn unable(check: &Check, error: &Error) -> Finding {
    let seen = format!("this could not be looked at: {}", chain(error));
    let finding = Finding::with(check.severity.max(Severity::Warn), seen);
    match error.hint() {
        Some(hint) => finding.remedy(hint),
        None => finding,
    }
}

fn summary(side: &Side) -> SideSummary {
    SideSummary {
        side: side.name,
        place: side.session.place().to_owned(),
        major: side.major(),
        role: side.role.name.clone(),
    }
}
