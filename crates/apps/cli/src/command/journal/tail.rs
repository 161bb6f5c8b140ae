//! `atalaya journal tail`.

use atalaya_eventstore::{Direction, EventType, Position, Read, Selection, Store};

use super::shown::{document, line};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;
use crate::runtime::{self, Interrupted, Signals};

/// Events of one page.
const PAGE: u32 = 500;

/// Arguments of `atalaya journal tail`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya journal tail
  atalaya journal tail --lines 100 --category migration
  atalaya journal tail --follow --output json | jq .type

With `--output json`, one document a line. Ctrl-C ends `--follow`.")]
pub(crate) struct TailArguments {
    /// How many of the last events to begin with.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    lines: u32,
    /// Begin at this position instead.
    #[arg(long, value_name = "POSITION", conflicts_with = "lines")]
    from: Option<u64>,
    /// Go on with those that come.
    #[arg(long, short)]
    follow: bool,
    /// Only streams of this category: what stands before the first dash of their names.
    #[arg(long, value_name = "CATEGORY", conflicts_with = "types")]
    category: Option<String>,
    /// Only events of this type; may be repeated.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
}

impl TailArguments {
    fn selection(&self) -> Result<Selection, Failure> {
        match &self.category {
            Some(category) => Ok(Selection::Category(category.clone())),
            None if self.types.is_empty() => Ok(Selection::All),
            None => {
                let types = self.types.iter().map(|name| EventType::new(name.clone())).collect::<Result<_, _>>();
                types.map(Selection::Types).map_err(|error| Failure::new(exit::USAGE, &error, None))
            }
        }
    }
}

pub(crate) fn run(arguments: &TailArguments, context: &Context) -> Result<u8, Failure> {
    let selection = arguments.selection()?;
    runtime::run(async {
        let mut signals = Signals::listen()?;
        match signals.end(tail(arguments, &selection, context)).await {
            // How following ends.
            Err(Interrupted) if arguments.follow => Ok(exit::DONE),
            Err(Interrupted) => Err(Failure::of_signal()),
            Ok(tailed) => tailed.map(|()| exit::DONE),
        }
    })?
}

async fn tail(arguments: &TailArguments, selection: &Selection, context: &Context) -> Result<(), Failure> {
    let journal = Journal::needed(context).await?;
    let begin = match arguments.from {
        Some(from) => Position::new(from.saturating_sub(1)),
        None => before_last(&journal.store, selection, arguments.lines).await?,
    };
    let seen = show_after(&journal.store, selection, begin, context).await?;
    if arguments.follow {
        follow(&journal.store, selection, seen, context).await?;
    }
    journal.close().await;
    Ok(())
}

/// The position before the last so many events.
async fn before_last(store: &Store, selection: &Selection, lines: u32) -> Result<Position, Failure> {
    let head = store.head().await?;
    if lines == 0 {
        return Ok(head);
    }
    let (mut left, mut from, mut first) = (lines, None, None);
    loop {
        let read = Read { selection: selection.clone(), direction: Direction::Backward, from, limit: left };
        let page = store.read(read).await?;
        first = page.events.last().map(|event| event.position).or(first);
        left = left.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
        // A page is shorter where events are large.
        from = match page.next {
            Some(next) if left > 0 => Some(next),
            _ => break,
        };
    }
    Ok(first.map_or(head, |first| Position::new(first.number().saturating_sub(1))))
}

/// Shows what comes, until the process is interrupted.
async fn follow(store: &Store, selection: &Selection, mut seen: Position, context: &Context) -> Result<(), Failure> {
    loop {
        store.grown(seen).await?;
        seen = show_after(store, selection, seen, context).await?;
    }
}

/// Shows what stands after a position; how far the journal went.
async fn show_after(
    store: &Store,
    selection: &Selection,
    after: Position,
    context: &Context,
) -> Result<Position, Failure> {
    let head = store.head().await?;
    let mut from = Some(after.next().number());
    while let Some(start) = from {
        let read = Read { selection: selection.clone(), direction: Direction::Forward, from: Some(start), limit: PAGE };
        let page = store.read(read).await?;
        for event in page.events.iter().filter(|event| event.position <= head) {
            context.print(&line(event), &document(event));
        }
        from = page.next.filter(|next| *next <= head.number());
    }
    Ok(head)
}
