//! `atalaya assess`: says before a move what would break it, and sets replica identities when asked to.

use std::path::Path;
use std::time::Duration;

use atalaya_assess::{Options, Plan};
use atalaya_estate::{ConnectionUrl, Estate, SecretOrigin, TablePattern, TablePatterns};

use crate::exit::{self, Failure};
use crate::global::Context;

/// Arguments of `atalaya assess`.
#[derive(Debug, clap::Args)]
pub(crate) struct AssessArguments {
    /// A migration of the estate file; or give both URLs.
    #[arg(value_name = "MIGRATION", conflicts_with_all = ["source", "target"])]
    migration: Option<String>,
    /// Where the rows are: a postgres:// URL, or env:NAME.
    #[arg(long, value_name = "URL", requires = "target")]
    source: Option<String>,
    /// Where they shall be: a postgres:// URL, or env:NAME.
    #[arg(long, value_name = "URL", requires = "source")]
    target: Option<String>,
    /// Only these tables, as psql's patterns; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    table: Vec<String>,
    /// Not these tables; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Tables that see only INSERT, so that they need no replica identity; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    append_only: Vec<String>,
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

/// Both ends and what was declared of the tables.
struct Request {
    source: ConnectionUrl,
    target: ConnectionUrl,
    tables: TablePatterns,
    append_only: Vec<TablePattern>,
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
    let request = request(&arguments, context)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    if arguments.set_replica_identity {
        runtime.block_on(set_identities(&arguments, &request, context))
    } else {
        runtime.block_on(assess(&arguments, &request, context))
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

async fn assess(arguments: &AssessArguments, request: &Request, context: &Context) -> Result<u8, Failure> {
    let report = atalaya_assess::assess(plan(arguments, request)).await?;
    let json = serde_json::to_value(&report).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&atalaya_assess::render_text(&report), &json);
    Ok(if report.forbids_move() { exit::REFUSED } else { exit::DONE })
}

async fn set_identities(arguments: &AssessArguments, request: &Request, context: &Context) -> Result<u8, Failure> {
    let changes = atalaya_assess::plan_identities(plan(arguments, request)).await?;
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
        request.source,
        planned.join("\n")
    ));
    let results =
        atalaya_assess::apply_identities(&request.source, &changes, Duration::from_secs(arguments.lock_timeout))
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

fn plan(arguments: &AssessArguments, request: &Request) -> Plan {
    let tables = request.tables.clone();
    let append_only = request.append_only.clone();
    let mut plan =
        Plan::new(request.source.clone(), request.target.clone()).tables(Box::new(move |name| tables.matches(name)));
    plan.options = Options {
        exclude_large_objects: arguments.exclude_large_objects,
        append_only: Box::new(move |name| append_only.iter().any(|each| each.matches(name))),
        existing_schema: arguments.existing_schema,
        long_transaction: Duration::from_secs(arguments.long_transaction),
        tolerated: arguments.tolerate.clone(),
        strict: arguments.strict,
        ..Options::default()
    };
    plan
}

fn request(arguments: &AssessArguments, context: &Context) -> Result<Request, Failure> {
    let patterns = (!arguments.table.is_empty() || !arguments.exclude.is_empty())
        .then(|| {
            TablePatterns::parse(&arguments.table, &arguments.exclude)
                .map_err(|(_, error)| usage(&error, Some(error.hint().to_owned())))
        })
        .transpose()?;
    let mut append_only = arguments
        .append_only
        .iter()
        .map(|text| text.parse::<TablePattern>().map_err(|error| usage(&error, Some(error.hint().to_owned()))))
        .collect::<Result<Vec<_>, _>>()?;
    match (&arguments.source, &arguments.target, &arguments.migration) {
        (Some(source), Some(target), _) => Ok(Request {
            source: resolve(source, "--source", context)?,
            target: resolve(target, "--target", context)?,
            tables: patterns.unwrap_or_default(),
            append_only,
        }),
        (_, _, Some(name)) => {
            let estate = read_estate(&context.estate)?;
            let found = estate
                .migration(name)
                .ok_or_else(|| Failure::usage(format!("the estate file has no migration `{name}` with two URLs")))?;
            append_only.extend(found.migration.append_only.iter().cloned());
            Ok(Request {
                source: with_secret(found.source_url)?,
                target: with_secret(found.target_url)?,
                tables: patterns.unwrap_or_else(|| found.migration.tables.clone()),
                append_only,
            })
        }
        _ => Err(Failure::usage("name a migration of the estate file, or give --source and --target")),
    }
}

fn usage(error: &dyn std::error::Error, hint: Option<String>) -> Failure {
    Failure::new(exit::USAGE, error, hint)
}

fn resolve(text: &str, option: &str, context: &Context) -> Result<ConnectionUrl, Failure> {
    let resolved = ConnectionUrl::resolve(text, &Context::lookup).map_err(|error| usage(&error, None))?;
    if resolved.secret == SecretOrigin::Text {
        context.note(&format!(
            "warning: the password in {option} is seen by other users of this machine; use env:NAME or a passfile"
        ));
    }
    Ok(resolved.url)
}

fn with_secret(url: &ConnectionUrl) -> Result<ConnectionUrl, Failure> {
    url.with_passfile(&Context::lookup).map(|resolved| resolved.url).map_err(|error| usage(&error, None))
}

fn read_estate(path: &Path) -> Result<Estate, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        usage(
            &error,
            Some(format!("there must be an estate file at `{}`; or give --source and --target", path.display())),
        )
    })?;
    Estate::parse(&text, path, &Context::lookup)
        .map_err(|errors| Failure::usage(errors.to_string().trim_end().to_owned()))
}
