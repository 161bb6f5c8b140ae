//! `atalaya assess`: says before a move what would break it, and sets replica identities when asked to.

use std::time::Duration;

use atalaya_assess::{Options, Plan};

use crate::endpoints::{EndpointArguments, Endpoints};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::runtime;

/// Arguments of `atalaya assess`.
#[derive(Debug, clap::Args)]
pub(crate) struct AssessArguments {
    #[command(flatten)]
    endpoints: EndpointArguments,
    /// Large objects stay behind, on purpose.
    #[arg(long)]
    exclude_large_objects: bool,
    /// The target's schema exists and is used as it is.
    #[arg(long)]
    existing_schema: bool,
    /// A transaction older than this on the source is reported.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    long_transaction: u64,
    /// A check whose warnings are known and accepted; may be repeated.
    #[arg(long, value_name = "ID")]
    tolerate: Vec<String>,
    /// Warnings that are not tolerated forbid the move too.
    #[arg(long)]
    strict: bool,
    /// Print every check's id, the worst it can find, and its question.
    #[arg(long, exclusive = true)]
    list: bool,
    /// Set a replica identity on the source's tables that lack one; the plan is printed first.
    #[arg(long)]
    set_replica_identity: bool,
    /// With --set-replica-identity: print the plan only.
    #[arg(long, requires = "set_replica_identity")]
    dry_run: bool,
    /// With --set-replica-identity: how long one table's lock is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    lock_timeout: u64,
}

impl From<atalaya_assess::Error> for Failure {
    fn from(error: atalaya_assess::Error) -> Self {
        let hint = error.hint();
        let code = match &error {
            atalaya_assess::Error::UnknownCheck(_) => exit::USAGE,
            _ => exit::FAILED,
        };
        Self::new(code, &error, hint)
    }
}

pub(crate) fn run(arguments: AssessArguments, context: &Context) -> Result<u8, Failure> {
    if arguments.list {
        return Ok(list(context));
    }
    let endpoints = arguments.endpoints.resolve(context)?;
    if arguments.set_replica_identity {
        runtime::block_on(set_identities(&arguments, &endpoints, context))?
    } else {
        runtime::block_on(assess(&arguments, &endpoints, context))?
    }
}

fn list(context: &Context) -> u8 {
    let checks: Vec<serde_json::Value> = atalaya_assess::ALL
        .iter()
        .map(|check| {
            serde_json::json!({
                "id": check.id,
                "title": check.title,
                "severity": check.severity,
                "why": check.why,
                "remedy": check.remedy,
            })
        })
        .collect();
    context.print(&atalaya_assess::render_list(), &serde_json::json!({ "version": 1, "checks": checks }));
    exit::DONE
}

async fn assess(arguments: &AssessArguments, endpoints: &Endpoints, context: &Context) -> Result<u8, Failure> {
    let report = atalaya_assess::assess(plan(arguments, endpoints)).await?;
    let json = serde_json::to_value(&report).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&atalaya_assess::render_text(&report), &json);
    Ok(if report.forbids_move() { exit::REFUSED } else { exit::DONE })
}

async fn set_identities(arguments: &AssessArguments, endpoints: &Endpoints, context: &Context) -> Result<u8, Failure> {
    let changes = atalaya_assess::plan_identities(plan(arguments, endpoints)).await?;
    let unset = changes.iter().any(|change| change.sql.is_none());
    let planned: Vec<String> = changes
        .iter()
        .map(|change| match &change.sql {
            Some(sql) => sql.clone(),
            None => format!("-- {}: {}", change.table, change.reason),
        })
        .collect();
    if arguments.dry_run || changes.is_empty() {
        let text =
            if changes.is_empty() { "every table has a replica identity".to_owned() } else { planned.join("\n") };
        context.print(
            &text,
            &serde_json::json!({ "version": 1, "dry_run": arguments.dry_run, "planned": changes, "results": [] }),
        );
        return Ok(if unset { exit::REFUSED } else { exit::DONE });
    }
    context.note(&format!(
        "setting {} replica identities on {}:\n{}",
        changes.len(),
        endpoints.source,
        planned.join("\n")
    ));
    let results =
        atalaya_assess::apply_identities(&endpoints.source, &changes, Duration::from_secs(arguments.lock_timeout))
            .await?;
    let text: Vec<String> = results
        .iter()
        .map(|result| {
            let word = if result.altered { "altered" } else { "NOT ALTERED" };
            format!("{word} {}: {}", result.table, result.detail)
        })
        .collect();
    context.print(
        &text.join("\n"),
        &serde_json::json!({ "version": 1, "dry_run": false, "planned": changes, "results": results }),
    );
    let all = results.iter().all(|result| result.altered);
    Ok(match (all, unset) {
        (true, _) => exit::DONE,
        (false, true) => exit::REFUSED,
        (false, false) => exit::FAILED,
    })
}

fn plan(arguments: &AssessArguments, endpoints: &Endpoints) -> Plan {
    let mut plan = Plan::new(endpoints.source.clone(), endpoints.target.clone()).tables(Box::new(endpoints.filter()));
    plan.options = Options {
        exclude_large_objects: arguments.exclude_large_objects,
        append_only: Box::new(endpoints.append_only_filter()),
        existing_schema: arguments.existing_schema,
        long_transaction: Duration::from_secs(arguments.long_transaction),
        tolerated: arguments.tolerate.clone(),
        strict: arguments.strict,
        ..Options::default()
    };
    plan
}
