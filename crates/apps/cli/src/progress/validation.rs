//! Progress of a validation: tables done of all, and what was found as soon as it is found.

use std::io::{IsTerminal, Write};

use atalaya_postgres::load::Held;
use atalaya_validate::{Event, Progress, TableStatus};
use indicatif::{ProgressBar, ProgressStyle};

use crate::global::Output;
use crate::size::bytes;

/// Takes a validation's events.
pub(crate) struct ValidationProgress {
    bar: Option<ProgressBar>,
}

impl ValidationProgress {
    /// A bar when stderr is a terminal and results are for people.
    pub(crate) fn new(output: Output) -> Self {
        let bar = (output == Output::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} tables, {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn show(bar: &ProgressBar, event: &Event<'_>) {
    match event {
        Event::Surveyed { tables, bytes: all } => {
            bar.set_length(*tables as u64);
            bar.println(format!("comparing {tables} tables, {}", bytes(*all)));
        }
        Event::Opened { fence: Some(fence) } => bar.println(format!("both sides stand at {fence}")),
        Event::Opened { fence: None } => {}
        Event::Started { table } => bar.set_message(table.to_string()),
        Event::Finished { report } => {
            bar.inc(1);
            if report.status != TableStatus::Equal {
                bar.println(format!("  {} {}", report.source, atalaya_validate::render_status(report.status)));
            }
        }
        Event::HeldBack { held } => bar.println(held_text(*held)),
        Event::LookingAgain { tables, look } => {
            bar.set_message(format!("look {look} at the rows of {tables} tables that differ"));
        }
    }
}

fn held_text(held: Held) -> String {
    match held {
        Held::Begun { active, limit } => {
            format!(
                "{active} sessions of others are active on the source, more than {limit}: no further table is begun"
            )
        }
        Held::Over { waited } => format!("the source is calm after {} s", waited.as_secs()),
        Held::Slowly { waited } => {
            format!("the source has been busy for {} s: one table at a time is begun all the same", waited.as_secs())
        }
    }
}

fn line(event: &Event<'_>) -> serde_json::Value {
    match event {
        Event::Surveyed { tables, bytes } => {
            serde_json::json!({ "event": "surveyed", "tables": tables, "bytes": bytes })
        }
        Event::Opened { fence } => serde_json::json!({ "event": "opened", "fence": fence }),
        Event::Started { table } => serde_json::json!({ "event": "started", "table": table }),
        Event::Finished { report } => {
            serde_json::json!({ "event": "finished", "table": report.source, "status": report.status,
                                "rows": report.source_rows, "seconds": report.seconds })
        }
        Event::HeldBack { held } => serde_json::json!({ "event": "held_back", "text": held_text(*held) }),
        Event::LookingAgain { tables, look } => {
            serde_json::json!({ "event": "looking_again", "tables": tables, "look": look })
        }
    }
}

impl Progress for ValidationProgress {
    fn tell(&self, event: &Event<'_>) {
        match &self.bar {
            Some(bar) => show(bar, event),
            None => {
                // Nobody reads: no reason to end the work.
                let _closed = writeln!(std::io::stderr().lock(), "{}", line(event));
            }
        }
    }
}
