//! The event trigger on the source, where one is asked for.

use crate::{Check, Error, Facts, Finding, Outcome, Severity};

pub(super) const CHECKS: &[Check] = &[Check {
    id: "ddl-trigger",
    title: "the event trigger that is asked for can be made on the source",
    severity: Severity::Fail,
    why: "only a superuser, or a role that a managed service allows it to, may make one, and before 14 what it says does not reach the stream; no catalog tells the first, so it is made in a transaction that is rolled back",
    remedy: "use a role that may, or leave `--ddl-trigger` out: changes of the schema are met by what the catalog tells",
    run: |facts| Box::pin(trial(facts)),
}];

async fn trial(facts: &Facts) -> Result<Outcome, Error> {
    let Some(trial) = &facts.options.event_trigger else {
        return Ok(Outcome::NotApplicable("no event trigger is asked for"));
    };
    let obstacle = trial.try_out(&facts.source.url).await.map_err(Error::Trial)?;
    let findings = obstacle.map(|obstacle| Finding::fail(obstacle.seen).on("source").remedy(obstacle.remedy));
    Ok(findings.into_iter().collect::<Vec<_>>().into())
}
