//! `atalaya validate`: proves that both sides hold the same rows, lists those that differ, repairs them.

pub(crate) mod certificate;
mod continuous;
mod schema;

use std::time::Duration;

use atalaya_migration::MigrationEvent;
use atalaya_validate::{Method, Moment, Plan, Report, Scope, TableFilter};

use crate::endpoints::{EndpointArguments, Endpoints};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Who};
use crate::progress::ValidationProgress;
use crate::runtime;
use crate::source_limits::SourceLimits;

/// Arguments of `atalaya validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya validate orders-to-18
  atalaya validate orders-to-18 --tables 'public.orders*' --show-values
  atalaya validate orders-to-18 --repair
  atalaya validate orders-to-18 --touched
  atalaya validate orders-to-18 --continuous --every 60
  atalaya validate orders-to-18 --schema
  atalaya validate orders-to-18 --schema --sql > mend.sql
  atalaya validate orders-to-18 --certificate orders.html
  atalaya validate --against orders.html --target env:OTHER
  atalaya validate --source env:ONE --target env:OTHER --quiesced --output json

While `migrate start` runs, both sides are compared at one position of the source's log. Two databases without
a migration are compared by looking again at what differs, or, with --quiesced, by one look.

Once every row of a table was proven at a fence, the keys that the move writes to it are noted, and --touched and
--continuous compare these only. A row that somebody else changed meanwhile is not among them: only a comparison of every
row sees it, which --continuous makes again every --full-every hours.")]
pub(crate) struct ValidateArguments {
    #[command(flatten)]
    endpoints: EndpointArguments,
    /// full (every column of every row), sample=N (about N rows a table) or counts; only full is a proof.
    #[arg(long, default_value = "full", value_parser = method)]
    method: Method,
    /// Prove only what the move has written since every row of a table was proven; every row where that was never, or
    /// more than --full-every hours ago.
    #[arg(long, conflicts_with = "method")]
    touched: bool,
    /// The same again and again, beside `migrate start`, until the migration is finished. Each pass is a line or, as
    /// JSON, a document; the exit code is the last pass's.
    #[arg(long, conflicts_with_all = ["method", "quiesced", "repair", "show_values"])]
    continuous: bool,
    /// Seconds between two passes of --continuous; longer where a pass takes more than a fifth of that.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Hours after which --touched and --continuous compare every row of a table again.
    #[arg(long, value_name = "HOURS", default_value_t = FULL_AGE_MAX_HOURS, value_parser = clap::value_parser!(u64).range(1..=8760))]
    full_every: u64,
    /// Nothing writes to either side, and nothing is still to be applied: the first look counts, and sequences
    /// must stand equal.
    #[arg(long)]
    quiesced: bool,
    /// Have the replicator read the differing rows again at a new fence, then prove those tables again.
    #[arg(long, conflicts_with = "quiesced")]
    repair: bool,
    /// Show differing values, not only the names of their columns.
    #[arg(long)]
    show_values: bool,
    /// Tables compared at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    #[command(flatten)]
    source_limits: SourceLimits,
    /// Differing rows listed a table; beyond it they are only counted.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    list: u32,
    /// Minutes that one group of tables may hold its snapshots, which keep vacuum from removing dead rows.
    #[arg(long, value_name = "MINUTES", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=1440))]
    snapshot_age: u64,
    /// Without a migration: looks at most at rows that differ.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=20))]
    looks: u32,
    /// Without a migration: seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pause: u64,
    /// A sequence that stands elsewhere on the target is a difference, even while the migration runs.
    #[arg(long)]
    strict_sequences: bool,
    #[command(flatten)]
    schema: schema::SchemaArguments,
    #[command(flatten)]
    certificate: certificate::CertificateArguments,
}

impl From<atalaya_validate::Error> for Failure {
    fn from(error: atalaya_validate::Error) -> Self {
        let hint = error.hint();
        let code = match &error {
            atalaya_validate::Error::NothingMatches => exit::USAGE,
            atalaya_validate::Error::NoReplicator | atalaya_validate::Error::AnotherProof { .. } => exit::REFUSED,
            _ => exit::FAILED,
        };
        Self::new(code, &error, hint)
    }
}

pub(crate) fn run(arguments: &ValidateArguments, context: &Context) -> Result<u8, Failure> {
    if let Some(file) = &arguments.certificate.against {
        return runtime::block_on(certificate::check(arguments, context, file))?;
    }
    let endpoints = arguments.endpoints.resolve(context)?;
    if let Some(file) = &arguments.certificate.certificate {
        return runtime::block_on(certificate::make(arguments, &endpoints, context, file))?;
    }
    if arguments.schema.schema {
        return runtime::block_on(schema::run(arguments, &endpoints, context))?;
    }
    runtime::block_on(validate(arguments, &endpoints, context))?
}

async fn validate(arguments: &ValidateArguments, endpoints: &Endpoints, context: &Context) -> Result<u8, Failure> {
    if arguments.continuous {
        let scope = Scope::Migration { name: endpoints.name.to_string() };
        let plan = plan(arguments, endpoints, scope);
        return continuous::run(plan, endpoints, Duration::from_secs(arguments.every), context).await;
    }
    let plan = plan(arguments, endpoints, scope(arguments, endpoints, context).await?);
    let progress = ValidationProgress::new(context.output);
    if !arguments.repair {
        let report = atalaya_validate::validate(&plan, &progress).await;
        progress.finish();
        let report = report?;
        context.print(&atalaya_validate::render_text(&report), &json(&report)?);
        note(endpoints, journal::proven(&report, false).into_iter().collect(), context).await;
        return Ok(exit_code(&report));
    }
    let repair = atalaya_validate::repair(&plan, REPAIR_LIMIT, &progress).await;
    progress.finish();
    let repair = repair?;
    let mut text = atalaya_validate::render_text(&repair.before);
    if let Some(after) = &repair.after {
        text.push_str(&format!("{} rows read again; after the repair:\n", repair.rows));
        text.push_str(&atalaya_validate::render_text(after));
    }
    context.print(
        &text,
        &serde_json::json!({ "version": 1, "before": json(&repair.before)?, "rows": repair.rows,
                             "after": repair.after.as_ref().map(json).transpose()? }),
    );
    let repaired = MigrationEvent::Repaired { by: Who::runs().by, rows: repair.rows as u64 };
    let proofs = [Some(&repair.before), repair.after.as_ref()].map(|report| journal::proven(report?, false));
    let [before, after] = proofs;
    note(endpoints, before.into_iter().chain([repaired]).chain(after).collect(), context).await;
    Ok(exit_code(repair.result()))
}

/// What a proof or a repair came to, where a migration is there that it is of.
async fn note(endpoints: &Endpoints, events: Vec<MigrationEvent>, context: &Context) {
    let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await;
    if let Ok(Some(status)) = status {
        journal::note(endpoints, &status, &events, context).await;
    }
}

/// What the arguments ask for.
fn plan(arguments: &ValidateArguments, endpoints: &Endpoints, scope: Scope) -> Plan {
    let mut plan = Plan::new(endpoints.source.clone(), endpoints.target.clone(), scope);
    plan.tables = TableFilter::new(endpoints.filter());
    plan.method = match arguments.touched || arguments.continuous {
        true => Method::Touched { full_age_max: Duration::from_secs(arguments.full_every * 3600) },
        false => arguments.method,
    };
    plan.workers = usize::from(arguments.workers);
    plan.source_connections = arguments.source_limits.connections();
    plan.source_load = arguments.source_limits.load();
    plan.show_values = arguments.show_values;
    plan.listed_max = usize::try_from(arguments.list).unwrap_or(usize::MAX);
    plan.snapshot_age_limit = Duration::from_secs(arguments.snapshot_age * 60);
    plan.strict_sequences = arguments.strict_sequences;
    plan
}

/// How long the replicator may take to put the rows right.
const REPAIR_LIMIT: Duration = Duration::from_secs(10 * 60);

/// At a fence while the migration runs; refused while one is there that does not run, since what it has still
/// to apply would look like differences.
async fn scope(arguments: &ValidateArguments, endpoints: &Endpoints, context: &Context) -> Result<Scope, Failure> {
    let name = endpoints.name.clone();
    let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &name).await?;
    if status.is_none() && arguments.touched {
        return Err(unknown(endpoints));
    }
    if status.is_none() && arguments.endpoints.name.is_some() {
        context.note(&format!("the target knows no migration `{name}`: two databases are compared as they are"));
    }
    match (status, arguments.quiesced) {
        (Some(_), true) => Ok(Scope::Drained { name: name.to_string() }),
        (None, true) => Ok(Scope::Databases { moment: Moment::Quiesced }),
        (Some(status), false) if status.running => Ok(Scope::Migration { name: name.to_string() }),
        (Some(_), false) => Err(Failure {
            code: exit::REFUSED,
            message: format!("the migration `{name}` does not run, so what it has still to apply would differ"),
            hint: Some(
                "run `atalaya migrate start`, or say with --quiesced that nothing writes and nothing is left to apply"
                    .to_owned(),
            ),
        }),
        (None, false) => Ok(Scope::Databases {
            moment: Moment::Looks { pause: Duration::from_secs(arguments.pause), looks_max: arguments.looks },
        }),
    }
}

/// Without a migration nobody notes what is written.
fn unknown(endpoints: &Endpoints) -> Failure {
    Failure {
        code: exit::REFUSED,
        message: format!("the target knows no migration `{}`, so nothing says what was written", endpoints.name),
        hint: Some("see `atalaya migrate status`; without a migration every row is compared".to_owned()),
    }
}

/// Hours for which a comparison of every row counts, where only what was written since is proven.
const FULL_AGE_MAX_HOURS: u64 = 24;

/// How much the last proof looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastProof {
    /// Every row.
    Full,
    /// What was written since every row was proven, where that was a day ago at most.
    Touched,
}

/// The proof that `migrate finish` asks for: nothing is left to apply, so one look counts.
pub(crate) async fn last_proof(endpoints: &Endpoints, extent: LastProof, context: &Context) -> Result<Report, Failure> {
    let scope = Scope::Drained { name: endpoints.name.to_string() };
    let mut plan = Plan::new(endpoints.source.clone(), endpoints.target.clone(), scope);
    // Every table that has moved, whatever the patterns say by now; sequences are set by the patterns.
    plan.sequences = TableFilter::new(endpoints.filter());
    if extent == LastProof::Touched {
        plan.method = Method::Touched { full_age_max: Duration::from_secs(FULL_AGE_MAX_HOURS * 3600) };
    }
    let progress = ValidationProgress::new(context.output);
    let report = atalaya_validate::validate(&plan, &progress).await;
    progress.finish();
    Ok(report?)
}

pub(crate) fn exit_code(report: &Report) -> u8 {
    if report.has_differences() {
        exit::DIFFERENT
    } else if report.was_refused() {
        exit::REFUSED
    } else if report.is_clean() {
        exit::DONE
    } else {
        exit::FAILED
    }
}

pub(crate) fn json(report: &Report) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(report).map_err(|error| Failure::new(exit::FAILED, &error, None))
}

fn method(text: &str) -> Result<Method, String> {
    match text {
        "full" => Ok(Method::Full),
        "counts" => Ok(Method::Counts),
        _ => text
            .strip_prefix("sample=")
            .and_then(|rows| rows.parse().ok())
            .filter(|rows| *rows > 0)
            .map(Method::Sample)
            .ok_or_else(|| "a method is `full`, `counts` or `sample=N`".to_owned()),
    }
}
