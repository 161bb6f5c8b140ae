//! `atalaya drill`: a move of the user's own schema, filled with made-up rows, under kills and other faults.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use atalaya_drill::{Error, Identities, Options, Origin, Ownership, Stage, Tampering};
use atalaya_estate::{ConnectionUrl, Estate, TablePattern, TablePatterns};

use crate::command::sandbox;
use crate::endpoints::{read_estate, resolve_url, with_passfile};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::progress::PlayProgress;
use crate::runtime;

/// Arguments of `atalaya drill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya drill --schema-from env:ORDERS_URL
  atalaya drill --schema-from orders --tables 'public.*' --faults 40 --minutes 30
  atalaya drill --schema-file schema.sql --from 13 --to 18 --seed 7 --output json > report.json

Of your database only the schema is read, by pg_dump --schema-only; no row is asked for, nothing is written. The schema
is restored on a server of the drill's own, filled with made-up rows, and moved to a second one by `migrate start` and
`migrate finish`, while clients write to every table and faults come at times that the seed chooses: kill -9 of the
run, of its snapshot's holder, of the source, of the target; restarts, ended sessions, connections that are cut or say
nothing any more. After each the same command is run again, as a supervisor does. Both sides must be equal at the end,
by the program's proof, by psql, and by what clients were told. What cannot be restored or filled is left out and told.
The same seed brings the same rows and the same faults in the same order; when exactly each strikes is the machine's.

Exit code 3: rows were lost, doubled or changed. 4: the assessment forbids the move of this schema, as it would in
earnest. Servers and files are removed at the end, after an interrupt too, unless --keep is given.")]
pub(crate) struct DrillArguments {
    /// The database whose schema is read: a URL, `env:VARIABLE`, or a database of the estate file.
    #[arg(long, value_name = "URL", required_unless_present = "schema_file", conflicts_with = "schema_file")]
    schema_from: Option<String>,
    /// A script by `pg_dump --schema-only` instead.
    #[arg(long, value_name = "FILE")]
    schema_file: Option<PathBuf>,
    /// The old server's major version, instead of the schema's own.
    #[arg(long, value_name = "MAJOR")]
    from: Option<u16>,
    /// The new server's major version, instead of the newest there is.
    #[arg(long, value_name = "MAJOR")]
    to: Option<u16>,
    /// Tables that move, as patterns such as `public.*`; may be repeated.
    #[arg(long = "tables", value_name = "PATTERN")]
    tables: Vec<String>,
    /// Tables that stay; may be repeated.
    #[arg(long = "exclude", value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Tables that are only ever inserted into; may be repeated.
    #[arg(long = "append-only", value_name = "PATTERN")]
    append_only: Vec<String>,
    /// Set a replica identity on the clone's tables that lack one, as `assess --set-replica-identity` does.
    #[arg(long)]
    set_replica_identity: bool,
    /// Leave owners and privileges out.
    #[arg(long)]
    no_owner: bool,
    /// Rows made up for each table.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rows: u32,
    /// Transactions a second on the schema's tables, and as many on a ledger beside them.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Kills and other faults.
    #[arg(long, visible_alias = "kills", value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=1000))]
    faults: u32,
    /// Decides rows, transactions and faults; drawn and told unless given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// No fault begins after so many minutes.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// Remove one row of the target behind the program's back, to see that the drill then fails.
    #[arg(long)]
    tamper: bool,
    /// The folder below which servers and files are kept meanwhile, instead of the system's temporary folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Leave both servers running at the end, as if by `atalaya sandbox up`; `atalaya sandbox down` removes them.
    #[arg(long)]
    keep: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Downgrade { .. } | Error::Script { .. } | Error::Forbidden { .. } => exit::REFUSED,
            Error::NoVersion { .. } => exit::USAGE,
            Error::Verb(atalaya_verbs::Error::Different { .. }) => exit::DIFFERENT,
            _ => exit::FAILED,
        };
        let hint = error.hint();
        Self::new(code, &error, hint)
    }
}

pub(crate) fn run(arguments: &DrillArguments, context: &Context) -> Result<u8, Failure> {
    if arguments.keep {
        sandbox::refuse_recorded(context)?;
    }
    let options = options(arguments, context)?;
    let progress = Arc::new(PlayProgress::new(context.output));
    let played = runtime::block_on(atalaya_drill::play(&options, progress.clone()));
    progress.finish();
    let (report, stage) = played.map_err(|interrupted| Failure {
        hint: Some("servers and files of the drill are removed".to_owned()),
        ..interrupted
    })?;
    if let Some(stage) = stage.filter(|_| arguments.keep) {
        sandbox::keep(stage.into_servers(), Stage::DATABASE, context)?;
        context.note("both servers go on: see `atalaya sandbox status --show-url`; `atalaya sandbox down` ends them");
    }
    let report = report?;
    let json = serde_json::to_value(&report).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&atalaya_drill::render_text(&report), &json);
    Ok(match report.complaints.iter().map(|complaint| complaint.is_difference).max() {
        None => exit::DONE,
        Some(true) => exit::DIFFERENT,
        Some(false) => exit::FAILED,
    })
}

fn options(arguments: &DrillArguments, context: &Context) -> Result<Options, Failure> {
    let failed = |error: std::io::Error| Failure::new(exit::FAILED, &error, None);
    let folder = arguments.data.clone().unwrap_or_else(std::env::temp_dir);
    let tables = if arguments.tables.is_empty() && arguments.exclude.is_empty() {
        TablePatterns::everything()
    } else {
        TablePatterns::parse(&arguments.tables, &arguments.exclude)
            .map_err(|(_, error)| Failure::new(exit::USAGE, &error, Some(error.hint().to_owned())))?
    };
    for pattern in &arguments.append_only {
        pattern
            .parse::<TablePattern>()
            .map_err(|error| Failure::new(exit::USAGE, &error, Some(error.hint().to_owned())))?;
    }
    Ok(Options {
        program: std::env::current_exe().map_err(failed)?,
        folder: folder.canonicalize().map_err(failed)?,
        origin: origin(arguments, context)?,
        from: arguments.from,
        to: arguments.to,
        tables,
        patterns: (arguments.tables.clone(), arguments.exclude.clone()),
        append_only: arguments.append_only.clone(),
        identities: if arguments.set_replica_identity { Identities::Set } else { Identities::Kept },
        ownership: if arguments.no_owner { Ownership::Taken } else { Ownership::Kept },
        rows: arguments.rows,
        rate: arguments.rate,
        faults: arguments.faults,
        seed: arguments.seed.unwrap_or_else(seed_of_the_day),
        time: Duration::from_secs(arguments.minutes * 60),
        tampering: if arguments.tamper { Tampering::OneRow } else { Tampering::None },
    })
}

/// Another one each time; the report tells it.
fn seed_of_the_day() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs()
}

fn origin(arguments: &DrillArguments, context: &Context) -> Result<Origin, Failure> {
    if let Some(file) = &arguments.schema_file {
        return Ok(Origin::File(file.clone()));
    }
    let text = arguments.schema_from.as_deref().unwrap_or_default();
    let is_url = text.contains("://") || text.starts_with("env:");
    let url = if is_url { resolve_url(text, "--schema-from", context)? } else { of_estate(text, context)? };
    Ok(Origin::Database(url))
}

/// A database of the estate file.
fn of_estate(name: &str, context: &Context) -> Result<ConnectionUrl, Failure> {
    let estate: Estate = read_estate(context)?;
    let known = || estate.databases.keys().cloned().collect::<Vec<_>>().join(", ");
    let found = estate.databases.get(name).and_then(|database| database.url.as_ref());
    let found = found.ok_or_else(|| Failure {
        code: exit::USAGE,
        message: format!("the estate file has no Postgres database `{name}`"),
        hint: Some(format!("it has: {}", known())),
    })?;
    with_passfile(found)
}
