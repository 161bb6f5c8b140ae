//! `atalaya assess`: says before a move what would break it, and sets replica identities when asked to.

use std::time::Duration;

use atalaya_assess::{Options, Plan, Status};

use crate::endpoints::{EndpointArguments, Endpoints};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::on_source::{OnSource, OnSourceArguments, TriggerTrial};
use crate::runtime;
use crate::terms::TermsArguments;

/// Arguments of `atalaya assess`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya assess orders-to-18
  atalaya assess --source env:OLD_URL --target env:NEW_URL --output json
  atalaya assess orders-to-18 --snapshot-from env:STANDBY_URL --ddl-trigger
  atalaya assess orders-to-18 --set-replica-identity --dry-run
  atalaya assess --list

Only reads, unless --set-replica-identity is given without --dry-run. With --ddl-trigger the event trigger is made in a
transaction that is rolled back: nothing else tells whether it can be.")]
pub(crate) struct AssessArguments {
    #[command(flatten)]
    endpoints: EndpointArguments,
    #[command(flatten)]
    terms: TermsArguments,
    #[command(flatten)]
    on_source: OnSourceArguments,
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
    #[arg(long, conflicts_with_all = ["migration", "source", "set_replica_identity"])]
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
    let on_source = arguments.on_source.resolve(endpoints, context)?;
    let report = atalaya_assess::assess(plan(arguments, endpoints, &on_source)).await?;
    let json = serde_json::to_value(&report).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&atalaya_assess::render_text(&report), &json);
    Ok(if report.forbids_move() { exit::REFUSED } else { exit::DONE })
}

async fn set_identities(arguments: &AssessArguments, endpoints: &Endpoints, context: &Context) -> Result<u8, Failure> {
    let changes = atalaya_assess::plan_identities(plan(arguments, endpoints, &OnSource::default())).await?;
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

fn plan(arguments: &AssessArguments, endpoints: &Endpoints, on_source: &OnSource) -> Plan {
    let mut plan = plan_of_move(&arguments.terms, endpoints, on_source);
    plan.options.long_transaction = Duration::from_secs(arguments.long_transaction);
    plan.options.tolerated.clone_from(&arguments.tolerate);
    plan.options.strict = arguments.strict;
    plan
}

fn plan_of_move(terms: &TermsArguments, endpoints: &Endpoints, on_source: &OnSource) -> Plan {
    let mut plan = Plan::new(endpoints.source.clone(), endpoints.target.clone()).tables(Box::new(endpoints.filter()));
    plan.options = Options {
        large_objects: terms.assessed_large_objects(),
        append_only: Box::new(endpoints.append_only_filter()),
        existing_schema: terms.existing_schema,
        no_owner: terms.no_owner,
        conflicts: terms.conflict_rules(endpoints).unwrap_or_default(),
        snapshot_from: on_source.snapshot_from.clone(),
        event_trigger: on_source.ddl_trigger.then(|| Box::new(TriggerTrial::of(endpoints)) as _),
        ..Options::default()
    };
    plan
}

/// The assessment before a migration's first run: refuses the move when a check forbids it.
pub(crate) async fn before_move(
    terms: &TermsArguments,
    endpoints: &Endpoints,
    on_source: &OnSource,
    context: &Context,
) -> Result<(), Failure> {
    let report = atalaya_assess::assess(plan_of_move(terms, endpoints, on_source)).await?;
    let summary = report.summary;
    if !report.forbids_move() {
        context.note(&format!("assessment: {} checks pass, {} warn; see `atalaya assess`", summary.pass, summary.warn));
        return Ok(());
    }
    let failed: Vec<String> = report
        .checks
        .iter()
        .filter(|check| check.status == Status::Fail)
        .map(|check| {
            let seen: Vec<String> = check
                .findings
                .iter()
                .take(3)
                .map(|finding| match &finding.object {
                    Some(object) => format!("{object}: {}", finding.seen),
                    None => finding.seen.clone(),
                })
                .collect();
            format!("\n  {}: {}", check.id, seen.join("; "))
        })
        .collect();
    Err(Failure {
        code: exit::REFUSED,
        message: format!("the assessment forbids the move:{}", failed.join("")),
        hint: Some("`atalaya assess` with the same arguments says of each what to do".to_owned()),
    })
}
