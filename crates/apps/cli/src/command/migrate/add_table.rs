//! `atalaya migrate add-table`.

use std::time::Duration;

use atalaya_estate::TablePattern;
use atalaya_migration::MigrationEvent;
use atalaya_replicate::{Adding, StopWhen};

use super::plan::RunArguments;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Who};
use crate::runtime;

/// Arguments of `atalaya migrate add-table`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate add-table orders-to-18 --table public.invoices
  atalaya migrate add-table orders-to-18 --table 'audit.*' --timeout 3600
  atalaya migrate add-table orders-to-18 --table public.orders --again

A run that follows the source rests while it copies; without one, the next `start` copies. What the move's own patterns
do not choose stays out.")]
pub(crate) struct AddTableArguments {
    #[command(flatten)]
    run: RunArguments,
    /// A table, or a pattern such as `audit.*`; may be repeated.
    #[arg(long = "table", value_name = "PATTERN", required = true)]
    wanted: Vec<String>,
    /// Copy tables of the move once more, as after a change that rewrote their rows on the source.
    #[arg(long)]
    again: bool,
    /// Seconds to wait for the copy; it goes on after them.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

pub(crate) fn run(arguments: &AddTableArguments, context: &Context) -> Result<u8, Failure> {
    let (plan, endpoints) = arguments.run.plan(StopWhen::Told, context)?;
    let patterns = arguments
        .wanted
        .iter()
        .map(|text| text.parse::<TablePattern>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::new(exit::USAGE, &error, Some(error.hint().to_owned())))?;
    let wanted: atalaya_replicate::RelationFilter =
        Box::new(move |relation| patterns.iter().any(|pattern| pattern.matches(relation)));
    let adding = if arguments.again { Adding::Again } else { Adding::New };
    let limit = Duration::from_secs(arguments.timeout);
    let (added, names) = runtime::block_on(async {
        let added = atalaya_replicate::add_tables(&plan, &wanted, adding, limit).await?;
        let names: Vec<String> = added.tables.iter().map(ToString::to_string).collect();
        let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
        if let Some(status) = status {
            let event = MigrationEvent::TablesAdded { by: Who::runs().by, tables: names.clone() };
            journal::note(&endpoints, &status, &[event], context).await;
        }
        Ok::<_, Failure>((added, names))
    })??;
    let outcome = if added.copied { "copied" } else { "to be copied by the run, or by the next `start`" };
    context.print(
        &format!("{}: {}: {outcome}", endpoints.name, names.join(", ")),
        &serde_json::json!({ "version": 1, "migration": endpoints.name, "tables": added.tables, "copied": added.copied }),
    );
    Ok(exit::DONE)
}
