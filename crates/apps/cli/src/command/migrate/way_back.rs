//! `atalaya migrate way-back`.

use std::fmt::Write;
use std::time::Duration;

use atalaya_migration::MigrationEvent;
use atalaya_replicate::{OperationLock, Plan, Side, WayBackState, WayBackStatus};

use super::led;
use super::plan::{bare_options, plan_of};
use crate::endpoints::{EndpointArguments, Endpoints};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Who};
use crate::runtime;
use crate::size::bytes;

/// Arguments of `atalaya migrate way-back`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate way-back make orders-to-18
  atalaya migrate way-back status orders-to-18 --output json | jq .possible
  atalaya migrate way-back remove orders-to-18

While `atalaya migrate start` runs, it brings what is written to the new server back to the old one, so that clients can be
led back without a copy. It is made while clients are on the old server. Nothing of the application's is switched off there:
triggers and foreign keys stay silent for what comes back, and where the role may not have that, no way back is made.")]
pub(crate) struct WayBackArguments {
    /// What to do.
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, clap::Subcommand)]
enum Deed {
    /// Make it, or make it whole; a run that follows takes it up by itself.
    Make(OfMigration),
    /// Show whether clients can be led back, and if not, why not.
    Status(OfMigration),
    /// Remove it from both servers; the move goes on.
    Remove(OfMigration),
}

#[derive(Debug, clap::Args)]
struct OfMigration {
    #[command(flatten)]
    endpoints: EndpointArguments,
    /// Seconds a new slot may wait for transactions that are open on its server.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    slot_timeout: u64,
}

impl OfMigration {
    fn plan(&self, endpoints: &Endpoints, context: &Context) -> Result<Plan, Failure> {
        plan(endpoints, Duration::from_secs(self.slot_timeout), context)
    }
}

/// For what is done while nobody leads clients elsewhere or ends the move, for as long as the lock is held.
async fn alone(endpoints: &Endpoints, context: &Context) -> Result<OperationLock, Failure> {
    let Endpoints { source, target, name, .. } = endpoints;
    let alone = OperationLock::begin(target, name.as_str()).await?;
    // What the journal says behind that stands until it is done.
    let standing = led::route(endpoints, context).await?;
    if standing.is_some() {
        let status = atalaya_replicate::status(source, target, name).await?;
        let serving = status.map(|status| status.serving.unwrap_or_default());
        led::refuse_unsettled(endpoints, standing.as_ref(), serving)?;
    }
    Ok(alone)
}

/// Writes down who made or removed it; one that was there, or gone, before was not.
async fn note(endpoints: &Endpoints, event: MigrationEvent, context: &Context) {
    let Endpoints { source, target, name, .. } = endpoints;
    if let Ok(Some(status)) = atalaya_replicate::status(source, target, name).await {
        journal::note(endpoints, &status, &[event], context).await;
    }
}

async fn make(plan: &Plan, endpoints: &Endpoints, context: &Context) -> Result<WayBackStatus, Failure> {
    let alone = alone(endpoints, context).await?;
    let before = atalaya_replicate::way_back_status(plan).await?;
    plan.options.failpoints.reach("way-back-checked");
    alone.stands().await?;
    let made = atalaya_replicate::make_way_back(plan).await?;
    if before.state != WayBackState::Made {
        note(endpoints, MigrationEvent::WayBackMade { by: Who::runs().by }, context).await;
    }
    Ok(made)
}

async fn remove(plan: &Plan, endpoints: &Endpoints, context: &Context) -> Result<(), Failure> {
    let alone = alone(endpoints, context).await?;
    let before = atalaya_replicate::way_back_status(plan).await?;
    plan.options.failpoints.reach("way-back-checked");
    alone.stands().await?;
    atalaya_replicate::remove_way_back(plan).await?;
    if before.state != WayBackState::Missing {
        note(endpoints, MigrationEvent::WayBackRemoved { by: Who::runs().by }, context).await;
    }
    Ok(())
}

/// A plan for what needs nothing but both servers and the name.
pub(super) fn plan(endpoints: &Endpoints, slot_timeout: Duration, context: &Context) -> Result<Plan, Failure> {
    let mut options = bare_options(endpoints, context)?;
    options.slot_timeout = slot_timeout;
    Ok(plan_of(endpoints, options))
}

pub(crate) fn run(arguments: &WayBackArguments, context: &Context) -> Result<u8, Failure> {
    let (Deed::Make(of) | Deed::Status(of) | Deed::Remove(of)) = &arguments.deed;
    let endpoints = of.endpoints.resolve(context)?;
    let plan = of.plan(&endpoints, context)?;
    match &arguments.deed {
        Deed::Make(_) => {
            let status = runtime::block_on(make(&plan, &endpoints, context))??;
            print(&plan, &status, context);
        }
        Deed::Status(_) => {
            let status =
                runtime::block_on(async { Ok::<_, Failure>(atalaya_replicate::way_back_status(&plan).await?) })??;
            print(&plan, &status, context);
        }
        Deed::Remove(_) => {
            runtime::block_on(remove(&plan, &endpoints, context))??;
            context.print(
                &format!("{}: the way back is removed", plan.name),
                &serde_json::json!({ "version": 1, "migration": plan.name, "outcome": "removed" }),
            );
        }
    }
    Ok(exit::DONE)
}

fn print(plan: &Plan, status: &WayBackStatus, context: &Context) {
    let mut json = serde_json::json!(status);
    if let Some(members) = json.as_object_mut() {
        members.insert("version".to_owned(), 1.into());
        members.insert("migration".to_owned(), serde_json::json!(plan.name));
    }
    context.print(&format!("{}: {}", plan.name, line(status)), &json);
}

/// The way back in one line and what is against it, for people.
pub(super) fn line(status: &WayBackStatus) -> String {
    let mut out = match (status.state, status.possible) {
        (WayBackState::Missing, _) if status.why_not.is_empty() => "no way back; one can be made".to_owned(),
        (WayBackState::Missing, _) => "no way back, and none can be made".to_owned(),
        (WayBackState::Partly, _) => "the way back is not made wholly".to_owned(),
        (WayBackState::Made, true) => {
            format!("the way back is possible since {}", status.since.as_deref().unwrap_or("a while ago"))
        }
        (WayBackState::Made, false) => {
            let since = status.impossible_since.as_ref().map_or_else(String::new, |since| format!(" since {since}"));
            format!("the way back is NOT possible{since}")
        }
    };
    if status.state == WayBackState::Made {
        let running = if status.running { "running" } else { "not running" };
        let behind = status.lag_bytes.map_or_else(|| "unknown".to_owned(), bytes);
        let serving = if status.serving == Side::Source { "old" } else { "new" };
        let _infallible = write!(
            out,
            "; {running}, behind {behind}, {} changes brought back; clients are on the {serving} server",
            status.changes
        );
    }
    for reason in &status.why_not {
        let _infallible = write!(out, "\n  because  {reason}");
    }
    out
}
