//! `atalaya journal show`.

use atalaya_eventstore::{Event, StreamName};
use serde_json::json;

use super::shown::{at, document, of_stream, whole_line};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;
use crate::runtime;

/// Arguments of `atalaya journal show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya journal show 17
  atalaya journal show saga-orders-to-18-1a2b3c4d
  atalaya journal show migration-orders-to-18-1a2b3c4d --from 100 --output json

Streams of a migration: `saga-` and its identity has what was decided, `migration-` and its identity what happened. The
identity is shown by `atalaya migrate status` and `atalaya journal sagas`.")]
pub(crate) struct ShowArguments {
    /// The position of an event, or the name of a stream.
    #[arg(value_name = "POSITION|STREAM")]
    what: String,
    /// The first version of the stream to show.
    #[arg(long, value_name = "VERSION", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// The most events to show.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(crate) fn run(arguments: &ShowArguments, context: &Context) -> Result<u8, Failure> {
    runtime::block_on(async {
        let journal = Journal::needed(context).await?;
        let shown = show(arguments, &journal, context).await;
        journal.close().await;
        shown
    })?
}

async fn show(arguments: &ShowArguments, journal: &Journal, context: &Context) -> Result<u8, Failure> {
    if let Ok(position) = arguments.what.parse::<u64>() {
        let event = at(&journal.store, position).await?.ok_or_else(|| Failure {
            code: exit::FAILED,
            message: format!("the journal has no event at position {position}"),
            hint: Some("`atalaya journal tail` shows the last ones".to_owned()),
        })?;
        context.print(&in_full(&event), &document(&event));
        return Ok(exit::DONE);
    }
    let name = |error| Failure::new(exit::USAGE, &error, None);
    let stream = StreamName::new(arguments.what.clone()).map_err(name)?;
    let page = of_stream(&journal.store, &stream, arguments.from, arguments.limit).await?;
    if page.events.is_empty() {
        return Err(Failure {
            code: exit::FAILED,
            message: format!("the journal has no event of a stream `{stream}` from version {} on", arguments.from),
            hint: Some("`atalaya journal tail` shows streams; `atalaya journal sagas` shows operations".to_owned()),
        });
    }
    let mut text: Vec<String> = page.events.iter().map(whole_line).collect();
    if let Some(next) = page.next {
        text.push(format!("there may be more: --from {next}"));
    }
    let events: Vec<_> = page.events.iter().map(document).collect();
    context.print(
        &text.join("\n"),
        &json!({ "version": 1, "stream": stream.as_str(), "events": events, "next": page.next }),
    );
    Ok(exit::DONE)
}

/// Everything of one event.
fn in_full(event: &Event) -> String {
    let mut document = document(event);
    if let Some(members) = document.as_object_mut() {
        members.remove("version");
        members.retain(|_, value| !value.is_null());
    }
    format!("{document:#}")
}
