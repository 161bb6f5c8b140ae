//! Progress of a migration on stderr: a bar on a terminal, otherwise one JSON line a step.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use atalaya_replicate::{Event, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use crate::global::Output;
use crate::size::bytes;

/// How often lines of figures are written when nobody watches a bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Takes a migration's events.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    last_figures: Mutex<Option<Instant>>,
}

impl Progress {
    /// A bar when stderr is a terminal and results are for people.
    pub(crate) fn new(output: Output) -> Self {
        let bar = (output == Output::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, last_figures: Mutex::new(None) }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn figures_due(&self) -> bool {
        let Ok(mut last) = self.last_figures.lock() else { return true };
        let due = last.is_none_or(|at| at.elapsed() >= LINE_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    fn show(&self, bar: &ProgressBar, event: &Event) {
        match event {
            Event::Phase { phase } => {
                bar.println(phase);
                bar.set_message((*phase).to_owned());
            }
            Event::Copied { rows, bytes: done, bytes_expected } => {
                if bar.length() != Some(*bytes_expected)
                    && let Ok(style) = ProgressStyle::with_template(
                        "{spinner} copy {bar:30} {bytes}/{total_bytes} {bytes_per_sec} about {eta} left, {msg}",
                    )
                {
                    bar.set_style(style);
                    bar.set_length(*bytes_expected);
                }
                bar.set_position(*done);
                bar.set_message(format!("{rows} rows in finished loads"));
            }
            Event::TableCopied { table, .. } => bar.println(format!("  copied {table}")),
            // The copy's own figures stay while it goes on beside.
            Event::Built { .. } if bar.length().is_some_and(|bytes| bar.position() < bytes) => {}
            Event::Built { done, all } => {
                bar.set_style(ProgressStyle::default_spinner());
                bar.set_message(format!("indexes and keys: {done} of {all}"));
            }
            Event::Applied { lsn, changes, lag_bytes, lag_seconds } => {
                bar.set_style(ProgressStyle::default_spinner());
                bar.set_message(format!(
                    "following: {lsn}, {changes} changes, behind {} and {lag_seconds:.1} s",
                    bytes(*lag_bytes)
                ));
            }
            Event::LargeObjects { objects, bytes: sum } => {
                bar.println(format!("  {objects} large objects brought over, {}", bytes(*sum)));
            }
            Event::CaughtUp => bar.println("caught up"),
            Event::Reconnect { attempt, reason } => {
                bar.println(format!("try {attempt} after: {reason}"));
                // What was last said of the lag is no longer so.
                bar.set_message(format!("not connected, try {attempt}"));
            }
            Event::Followed { change } => bar.println(format!("followed: {change}")),
            Event::Warning { text } => bar.println(format!("warning: {text}")),
        }
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event) {
        if let Some(bar) = &self.bar {
            self.show(bar, event);
            return;
        }
        let figures = matches!(event, Event::Copied { .. } | Event::Applied { .. });
        if figures && !self.figures_due() {
            return;
        }
        if let Ok(line) = serde_json::to_string(event) {
            // Nobody reads: no reason to end the work.
            let _closed = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}
