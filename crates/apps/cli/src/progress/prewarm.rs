//! Progress of filling a cache: a bar on a terminal, a line every few seconds otherwise.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use atalaya_cutover::prewarm::{Progress, Warming};
use indicatif::{ProgressBar, ProgressStyle};

use crate::global::{Output, note_line};
use crate::size::bytes;

/// How often a line is written when nobody watches a bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Told after each chunk.
pub(crate) struct PrewarmProgress {
    output: Output,
    bar: Option<ProgressBar>,
    last: Mutex<Option<Instant>>,
}

impl PrewarmProgress {
    /// A bar when stderr is a terminal and results are for people.
    pub(crate) fn new(output: Output) -> Self {
        let bar = (output == Output::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::hidden();
            if let Ok(style) = ProgressStyle::with_template("cache {bar:30} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { output, bar, last: Mutex::new(None) }
    }
}

impl Progress for PrewarmProgress {
    fn tell(&self, warming: &Warming) {
        let Warming { loaded_bytes, planned_bytes, relation } = warming;
        let is_over = loaded_bytes >= planned_bytes;
        let figures = format!("{} of {}", bytes(*loaded_bytes), bytes(*planned_bytes));
        if let Some(bar) = &self.bar {
            // Another database's.
            if bar.is_finished() {
                bar.reset();
            }
            if bar.is_hidden() {
                bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            }
            bar.set_length(*planned_bytes);
            bar.set_position(*loaded_bytes);
            bar.set_message(format!("{figures}, {relation}"));
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if last.is_some_and(|last| last.elapsed() < LINE_EVERY) && !is_over {
            return;
        }
        *last = Some(Instant::now());
        match self.output {
            Output::Text => note_line(self.output, &format!("filling the cache: {figures}")),
            Output::Json => {
                let line = serde_json::json!({ "event": "prewarming", "loaded_bytes": loaded_bytes,
                                               "planned_bytes": planned_bytes, "relation": relation });
                // Nobody reads: no reason to end the work.
                let _closed = writeln!(std::io::stderr().lock(), "{line}");
            }
        }
    }

    fn ended(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
