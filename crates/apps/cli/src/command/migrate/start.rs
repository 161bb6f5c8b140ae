//! `atalaya migrate start`.

use std::sync::Arc;

use atalaya_migration::{Idle, Known, MigrationEvent, Migrations, Operation, Recorder};
use atalaya_replicate::{DdlTrigger, Outcome, Plan, StopWhen};

use rand::RngExt;

use super::plan::RunArguments;
use super::spool::SpoolArguments;
use crate::command::assess;
use crate::endpoints::{Endpoints, resolve_url};
use crate::exit::{self, Failure};
use crate::global::{Context, note_line};
use crate::journal::{self, Journal, Observing, Who};
use crate::progress::Progress;
use crate::runtime::{self, Interrupted, Signals};

/// Arguments of `atalaya migrate start`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate start orders-to-18
  atalaya migrate start --source env:OLD_URL --target env:NEW_URL --name orders --stop-when caught-up
  atalaya migrate start orders-to-18 --exclude 'audit.*' --workers 4
  atalaya migrate start orders-to-18 --snapshot-from env:STANDBY_URL
  atalaya migrate start orders-to-18 --ack-spool --spool-limit 100GB   # for a source whose disk is short of room

Run the same command again after any interruption: it goes on where the target's own rows say.")]
pub(crate) struct StartArguments {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    spool: SpoolArguments,
    /// Make an event trigger on the source, which tells of each statement about a table within its own transaction: a
    /// refusal names the statement and who ran it, and rewrites with other values are seen, too. From version 14 of the
    /// source on; needs a superuser of the source, or the role that a managed service allows it to. It stays until `finish`
    /// or `abort`, also for runs without this option.
    #[arg(long)]
    ddl_trigger: bool,
    /// Read the rows of the copy, and the schema, from a physical standby of the source, to spare the source: a URL,
    /// `env:VARIABLE`, or `source` for the source itself, whatever the estate file says.
    ///
    /// The standby is PostgreSQL 16 or later and has wal_level = logical; its role may replicate. Changes still come from
    /// the source's own slot. With hot_standby_feedback off, a vacuum on the source may end the snapshot: tables that are
    /// not finished are then copied anew, as they are when the standby goes down. --source-active-limit looks at the
    /// standby; --source-connections counts the sessions on the source alone. To be given again to a start that goes on:
    /// without it what is left is copied from the source.
    #[arg(long, value_name = "URL")]
    snapshot_from: Option<String>,
    /// End the run by itself once it is caught up.
    #[arg(long, value_name = "CONDITION", value_enum)]
    stop_when: Option<Condition>,
}

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Condition {
    /// Everything the source had written when the copy ended is applied.
    CaughtUp,
}

/// What the target knows of the migration. One that it does not know is assessed.
async fn known(arguments: &StartArguments, endpoints: &Endpoints, context: &Context) -> Result<Option<Known>, Failure> {
    let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
    let Some(status) = &status else {
        assess::before_move(&arguments.run.terms, endpoints, context).await?;
        return Ok(None);
    };
    if status.running {
        // Two runs exclude each other; what the one that goes on has said of itself stays as it is.
        atalaya_replicate::refuse_running(&endpoints.target, &endpoints.name).await?;
    }
    journal::known_of(endpoints, status).map(Some)
}

/// The migration in the journal, which says that a run of it begins. One that has begun is past its assessment: its target is no longer empty, and its slot is
/// there.
async fn begin(
    arguments: &StartArguments,
    endpoints: &Endpoints,
    context: &Context,
    run: &str,
) -> Result<(Operation, Journal), Failure> {
    let asking = known(arguments, endpoints, context);
    let (known, opened) = futures_util::future::join(asking, Journal::in_folder(context)).await;
    let known = match (known, &opened) {
        (Ok(known), _) => known,
        (Err(refused), Ok(Some(journal))) => {
            journal.clone().close().await;
            return Err(refused);
        }
        (Err(refused), _) => return Err(refused),
    };
    Journal::refuse_moved(endpoints, context).await?;
    let journal = match opened? {
        Some(journal) => journal,
        None => Journal::open(context).await?,
    };
    let migrations = Migrations::open(journal.store.clone(), journal.tables.clone(), Arc::new(Idle))?;
    let subject = journal::subject_of(endpoints);
    let operation = migrations.begin(&subject, known).await?;
    let Who { by, host } = Who::runs();
    let (version, process) = (env!("CARGO_PKG_VERSION").to_owned(), std::process::id());
    let began = MigrationEvent::RunBegan { run: run.to_owned(), version, host, process, by };
    migrations.run_begins(&operation, &subject, began).await?;
    Ok((operation, journal))
}

/// Runs the migration; the journal has how it began before anything is touched, and how it ended, also by a signal.
async fn run_recorded(
    arguments: &StartArguments,
    mut plan: Plan,
    endpoints: &Endpoints,
    context: &Context,
) -> Result<Outcome, Failure> {
    let mut signals = Signals::listen()?;
    let run = format!("{:016x}", rand::rng().random::<u64>());
    let begun = signals.end(begin(arguments, endpoints, context, &run));
    let (operation, journal) = begun.await.map_err(|Interrupted| Failure::of_signal())??;
    plan.id = operation.id().clone();
    let output = context.output;
    let recorder = Recorder::start(operation, move |error| {
        let trouble = atalaya_data::chain(error);
        note_line(output, &format!("warning: the journal cannot be written, the move goes on without: {trouble}"));
    });
    let progress = Progress::new(context.output);
    let observer = Observing { progress: &progress, recorder: &recorder };
    let moving = async { atalaya_replicate::start(&plan, &observer).await.map_err(Failure::from) };
    let ended = signals.end(moving).await;
    progress.finish();
    recorder.close(journal::outcome_of(&run, &ended)).await;
    journal.close().await;
    ended.map_err(|Interrupted| Failure::of_signal())?
}

pub(crate) fn run(arguments: &StartArguments, context: &Context) -> Result<u8, Failure> {
    let stop_when = match arguments.stop_when {
        Some(Condition::CaughtUp) => StopWhen::CaughtUp,
        None => StopWhen::Told,
    };
    let spool = arguments.spool.options()?;
    let (mut plan, endpoints) = arguments.run.plan(stop_when, context)?;
    plan.options.spool = spool;
    if arguments.ddl_trigger || endpoints.ddl_trigger {
        plan.options.ddl_trigger = DdlTrigger::Made;
    }
    plan.options.snapshot_from = match arguments.snapshot_from.as_deref() {
        None => endpoints.snapshot_from.clone(),
        Some("source") => None,
        Some(text) => Some(resolve_url(text, "--snapshot-from", context)?),
    };
    let outcome = runtime::run(run_recorded(arguments, plan, &endpoints, context))??;
    let word = match outcome {
        Outcome::CaughtUp => "caught up",
        Outcome::Stopped => "stopped",
    };
    context.print(
        &format!("{}: {word}", endpoints.name),
        &serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": word }),
    );
    Ok(exit::DONE)
}
