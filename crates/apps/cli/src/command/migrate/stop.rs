//! `atalaya migrate stop`.

use std::time::Duration;

use atalaya_migration::MigrationEvent;

use crate::endpoints::EndpointArguments;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Who};
use crate::runtime;

/// Arguments of `atalaya migrate stop`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate stop orders-to-18
  atalaya migrate stop orders-to-18 --timeout 600

The slot keeps the source's log until `start` goes on, `finish` or `abort`.")]
pub(crate) struct StopArguments {
    #[command(flatten)]
    endpoints: EndpointArguments,
    /// Seconds the run may take to apply what is left.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

pub(crate) fn run(arguments: &StopArguments, context: &Context) -> Result<u8, Failure> {
    let endpoints = arguments.endpoints.resolve(context)?;
    let limit = Duration::from_secs(arguments.timeout);
    runtime::block_on(async {
        atalaya_replicate::stop(&endpoints.source, &endpoints.target, &endpoints.name, limit).await?;
        let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
        if let Some(status) = status {
            journal::note(&endpoints, &status, &[MigrationEvent::StopAsked { by: Who::runs().by }], context).await;
        }
        Ok::<_, Failure>(())
    })??;
    context.print(
        &format!("{}: stopped; the slot is kept", endpoints.name),
        &serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": "stopped" }),
    );
    Ok(exit::DONE)
}
