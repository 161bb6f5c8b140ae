//! `atalaya migrate start`.

use std::sync::Arc;

use atalaya_migration::{Idle, Known, MigrationEvent, Migrations, Operation, Recorder};
use atalaya_replicate::{DdlTrigger, Outcome, Plan, StopWhen};

use rand::RngExt;

use super::plan::RunArguments;
use super::spool::SpoolArguments;
use crate::command::assess;
use crate::endpoints::Endpoints;
use crate::exit::{self, Failure};
use crate::global::{Context, note_line};
use crate::journal::{self, Journal, Observing, Who};
use crate::on_source::{OnSource, OnSourceArguments};
use crate::progress::Progress;
use crate::runtime::{self, Interrupted, Signals};
use crate::terms::TermsArguments;

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
    #[command(flatten)]
    on_source: OnSourceArguments,
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

/// What a start is asked for, as far as the assessment looks at it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    terms: &'a TermsArguments,
    endpoints: &'a Endpoints,
    on_source: &'a OnSource,
}

/// What the target knows of the migration. One that it does not know is assessed.
async fn known(asked: Asked<'_>, context: &Context) -> Result<Option<Known>, Failure> {
    let Asked { terms, endpoints, on_source } = asked;
    let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
    let Some(status) = &status else {
        assess::before_move(terms, endpoints, on_source, context).await?;
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
async fn begin(asked: Asked<'_>, context: &Context, run: &str) -> Result<(Operation, Journal), Failure> {
    let endpoints = asked.endpoints;
    let asking = known(asked, context);
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
async fn run_recorded(asked: Asked<'_>, mut plan: Plan, context: &Context) -> Result<Outcome, Failure> {
    let mut signals = Signals::listen()?;
    let run = format!("{:016x}", rand::rng().random::<u64>());
    let begun = signals.end(begin(asked, context, &run));
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
    let on_source = arguments.on_source.resolve(&endpoints, context)?;
    if on_source.ddl_trigger {
        plan.options.ddl_trigger = DdlTrigger::Made;
    }
    plan.options.snapshot_from.clone_from(&on_source.snapshot_from);
    let asked = Asked { terms: &arguments.run.terms, endpoints: &endpoints, on_source: &on_source };
    let outcome = runtime::run(run_recorded(asked, plan, context))??;
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
