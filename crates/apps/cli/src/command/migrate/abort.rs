//! `atalaya migrate abort`.

use std::path::PathBuf;
use std::sync::Arc;

use atalaya_data::MigrationName;
use atalaya_migration::{Engine, Known, Migrations};
use atalaya_replicate::{AbortOptions, AbortReport, OperationLock, Side};

use super::led;
use crate::endpoints::{EndpointArguments, Endpoints};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Journal, Who, Withdrawing};
use crate::runtime;

/// Arguments of `atalaya migrate abort`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate abort orders-to-18 --dry-run
  atalaya migrate abort orders-to-18
  atalaya migrate abort orders-to-18 --drop-target

Can be repeated. With the target gone for good: --target-gone.")]
pub(crate) struct AbortArguments {
    #[command(flatten)]
    endpoints: EndpointArguments,
    /// Drop the migrated tables on the target too.
    #[arg(long)]
    drop_target: bool,
    /// The target is gone, or another stands in its place: remove what the source has under this name.
    #[arg(long)]
    target_gone: bool,
    /// Show what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Removes it by way of the journal, whose saga goes back. What would keep it from being removed is found before anything is
/// decided. A journal that cannot be had keeps nobody from freeing the source.
async fn withdraw(endpoints: &Endpoints, options: AbortOptions, context: &Context) -> Result<AbortReport, Failure> {
    let Endpoints { source, target, name, .. } = endpoints;
    let found =
        atalaya_replicate::abort(source, target, name, AbortOptions { dry_run: true, ..options.clone() }).await?;
    // Held to the end. One that is not there, or another one in its place, has no move that anybody could lead.
    let alone = match options.target_gone || found.target_unreached.is_some() {
        true => None,
        false => Some(OperationLock::begin(target, name.as_str()).await?),
    };
    let known = match found.unknown || found.target_unreached.is_some() {
        true => None,
        false => {
            atalaya_replicate::refuse_running(target, name).await?;
            let status = atalaya_replicate::status(source, target, name).await?;
            status.map(|status| journal::known_of(endpoints, &status)).transpose()?
        }
    };
    refuse_unsettled(endpoints, &options, &found, context).await?;
    options.failpoints.reach("abort-checked");
    if let Some(alone) = &alone {
        alone.stands().await?;
    }
    let engine = Withdrawing::new(endpoints, options.clone(), alone);
    // With a target that knows nothing nothing is removed, unless it is said to be gone: nothing is decided either.
    if known.is_some() || options.target_gone {
        match by_the_journal(endpoints, known, &engine, context).await {
            Ok(()) => {}
            // A journal that cannot be had keeps nobody from freeing the source.
            Err(failure) => {
                context.note(&format!("warning: it is not written down in the journal: {}", failure.message));
            }
        }
    }
    match engine.answered() {
        Some(answer) => Ok(answer?),
        None => Ok(engine.ask().await?),
    }
}

/// Refuses while clients are being led elsewhere, or where the journal knows another server that they are on. A journal
/// that cannot be had keeps nobody from freeing the source, but no table is dropped then.
async fn refuse_unsettled(
    endpoints: &Endpoints,
    options: &AbortOptions,
    found: &AbortReport,
    context: &Context,
) -> Result<(), Failure> {
    if found.target_unreached.is_some() {
        return Ok(());
    }
    match led::route(endpoints, context).await {
        Ok(route) => led::refuse_unsettled(endpoints, route.as_ref(), found.serving),
        Err(failure) if options.drop_target => Err(failure),
        Err(failure) => {
            context.note(&format!("warning: where clients are led is not known: {}", failure.message));
            Ok(())
        }
    }
}

/// Looks up what would be removed, and refuses what would be refused.
async fn dry_run(endpoints: &Endpoints, options: AbortOptions, context: &Context) -> Result<AbortReport, Failure> {
    let Endpoints { source, target, name, .. } = endpoints;
    let found = atalaya_replicate::abort(source, target, name, options.clone()).await?;
    refuse_unsettled(endpoints, &options, &found, context).await?;
    Ok(found)
}

/// Has the migration's saga go back, where there is one.
async fn by_the_journal(
    endpoints: &Endpoints,
    known: Option<Known>,
    engine: &Arc<Withdrawing>,
    context: &Context,
) -> Result<(), Failure> {
    let journal = match known {
        Some(_) => Some(Journal::open(context).await?),
        None => Journal::existing(context).await?,
    };
    let Some(journal) = journal else { return Ok(()) };
    let of_saga = Arc::clone(engine) as Arc<dyn Engine>;
    let migrations = Migrations::open(journal.store.clone(), journal.tables.clone(), of_saga)?;
    if let Some(operation) = migrations.find(&journal::subject_of(endpoints), known).await? {
        match operation.abort(&Who::runs().by, "`atalaya migrate abort`").await {
            // The engine's own error says more.
            Ok(_) | Err(atalaya_migration::Error::NotDone { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        operation.note(engine.removed().as_slice()).await?;
    }
    journal.close().await;
    Ok(())
}

pub(crate) fn run(arguments: &AbortArguments, context: &Context) -> Result<u8, Failure> {
    let endpoints = arguments.endpoints.resolve(context)?;
    let options = AbortOptions {
        drop_target: arguments.drop_target,
        target_gone: arguments.target_gone,
        dry_run: arguments.dry_run,
        failpoints: crate::failpoints::from_environment(),
    };
    let report = match arguments.dry_run {
        true => runtime::block_on(dry_run(&endpoints, options, context))??,
        false => runtime::block_on(withdraw(&endpoints, options, context))??,
    };
    if !report.dry_run {
        match report.unknown && !arguments.target_gone {
            // It may belong to a migration of the same name into another target, and hold what only it has.
            true => keep_folder(&endpoints.name, context),
            false => remove_folder(&endpoints.name, context),
        }
    }
    let mut text = format!(
        "{}: {} {} slots and {} publications from the source{}, {} tables from the target",
        endpoints.name,
        if report.dry_run { "would remove" } else { "removed" },
        report.slots.len(),
        report.publications.len(),
        if report.event_triggers.is_empty() { "" } else { " with the event trigger" },
        report.tables.len()
    );
    if report.dry_run {
        let on_source = report.slots.iter().chain(&report.publications).chain(&report.event_triggers);
        for name in on_source.chain(&report.tables) {
            text.push_str(&format!("\n  {name}"));
        }
    }
    let set_back = if report.dry_run { "would set back" } else { "set back" };
    for name in &report.triggers {
        text.push_str(&format!("\n{set_back}: {name}"));
    }
    for told in &report.notices {
        text.push_str(&format!("\nwarning: {told}"));
    }
    if report.serving == Some(Side::Target) {
        text.push_str(if report.dry_run {
            "\nclients would stay on the new server, with what they have written there, and with no way back: the old server is \
             kept shut as it is, and would get nothing any more"
        } else {
            "\nclients stay on the new server, with what they have written there, and there is no way back any more: the old \
             server is kept shut as it is, and gets nothing any more"
        });
    }
    match &report.target_unreached {
        Some(reason) => text.push_str(&format!("\nthe target was left as it is: {reason}")),
        None if report.unknown => text.push_str(
            "\nthe target knows no such migration; with --target-gone what the source has under its name goes",
        ),
        None => {}
    }
    let mut json = serde_json::json!(report);
    if let Some(object) = json.as_object_mut() {
        object.insert("version".to_owned(), 1.into());
    }
    context.print(&text, &json);
    Ok(exit::DONE)
}

fn folder(name: &MigrationName, context: &Context) -> PathBuf {
    context.state.join("migrations").join(name.as_str())
}

fn keep_folder(name: &MigrationName, context: &Context) {
    let folder = folder(name, context);
    if folder.exists() {
        context.note(&format!("`{}` is left as it is: the target knows no such migration", folder.display()));
    }
}

/// Dump and spool belong to the migration; a new one makes its own.
fn remove_folder(name: &MigrationName, context: &Context) {
    let folder = folder(name, context);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            context.note(&format!("warning: `{}` could not be removed: {error}", folder.display()));
        }
        Ok(()) | Err(_) => {}
    }
}
