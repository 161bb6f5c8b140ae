//! `atalaya migrate conflicts`.

use std::fmt::Write;

use atalaya_replicate::{ConflictCount, ConflictRow};

use crate::endpoints::EndpointArguments;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::runtime;

/// Arguments of `atalaya migrate conflicts`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate conflicts orders-to-18
  atalaya migrate conflicts orders-to-18 --output json | jq '.conflicts[] | select(.kind == \"unique_taken\")'
  atalaya migrate conflicts orders-to-18 --show-values

Values are there only where the run was told --conflict-values. They go with the migration: `finish` and `abort` remove
the list.")]
pub(crate) struct ConflictsArguments {
    #[command(flatten)]
    endpoints: EndpointArguments,
    /// Conflicts listed, the newest first.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Show the values of key and rows that were kept.
    #[arg(long)]
    show_values: bool,
}

pub(crate) fn run(arguments: &ConflictsArguments, context: &Context) -> Result<u8, Failure> {
    let endpoints = arguments.endpoints.resolve(context)?;
    let found = runtime::block_on(atalaya_replicate::conflicts(
        &endpoints.target,
        &endpoints.name,
        arguments.limit,
        arguments.show_values,
    ))??;
    let Some((counts, rows)) = found else {
        return Err(Failure {
            code: exit::FAILED,
            message: format!("the target knows no migration `{}`", endpoints.name),
            hint: Some(
                "a finished migration leaves nothing behind, not even its name; `atalaya migrate start` begins one"
                    .to_owned(),
            ),
        });
    };
    let json = serde_json::json!({ "version": 1, "migration": endpoints.name, "counts": counts, "conflicts": rows });
    context.print(&text(&counts, &rows), &json);
    Ok(exit::DONE)
}

fn text(counts: &[ConflictCount], rows: &[ConflictRow]) -> String {
    let mut out = String::new();
    for count in counts {
        let _infallible = writeln!(out, "{}", line_of(count));
    }
    for row in rows {
        let key = match (&row.key, &row.key_hash) {
            (Some(key), _) => key.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(", "),
            (None, Some(hash)) => format!("#{}", hash.get(..12).unwrap_or(hash)),
            (None, None) => "-".to_owned(),
        };
        let _infallible = write!(
            out,
            "{}  {}  {} ({}: {key}), transaction at {}, {} -> {}",
            row.seen_at,
            row.kind,
            row.table,
            row.key_columns.join(", "),
            row.commit_lsn,
            row.policy,
            row.resolution
        );
        if let Some(constraint) = &row.constraint {
            let _infallible = write!(out, ", constraint {constraint}");
        }
        let _infallible = writeln!(out);
        for (side, values) in [("source", &row.source_row), ("target", &row.target_row)] {
            if let Some(values) = values {
                let _infallible = writeln!(out, "    {side} {values}");
            }
        }
    }
    if out.is_empty() { "no conflicts".to_owned() } else { out }
}

/// One line a table and kind.
pub(super) fn line_of(count: &ConflictCount) -> String {
    let unlisted =
        if count.unlisted > 0 { format!(" ({} of them counted only)", count.unlisted) } else { String::new() };
    format!("{} {} in {}: {}{unlisted}", count.conflicts, count.kind, count.table, count.resolution)
}
