//! Progress of a demo or a drill on stderr: steps and command lines with a bar below them on a terminal, plain lines otherwise,
//! JSON lines where results are JSON.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use atalaya_verbs::{Event, Narrator, grouped};
use indicatif::{ProgressBar, ProgressStyle};

use crate::global::Output;
use crate::size::bytes;

/// How often figures are written when nobody watches a bar.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often the clients' are, which are there all the time.
const WRITES_EVERY: Duration = Duration::from_secs(30);

/// While a step has no figures.
const BUSY: &str = "  {spinner} {elapsed}  {msg}  {prefix}";
/// While it has.
const COUNTING: &str = "  {spinner} {bar:30}  {msg}  {prefix}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Takes the events of a demo or a drill.
pub(crate) struct PlayProgress {
    bar: Option<ProgressBar>,
    output: Output,
    last_figures: Mutex<Instant>,
    last_writes: Mutex<Instant>,
}

impl PlayProgress {
    /// A bar when stderr is a terminal and results are for people.
    pub(crate) fn new(output: Output) -> Self {
        let bar = (output == Output::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(style(BUSY));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, output, last_figures: Mutex::new(Instant::now()), last_writes: Mutex::new(Instant::now()) }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn write(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => {
                // Nobody reads: no reason to end the work.
                let _closed = writeln!(std::io::stderr().lock(), "{text}");
            }
        }
    }
}

/// Whether so much time has passed since the last time that it had.
fn is_due(last: &Mutex<Instant>, every: Duration) -> bool {
    let Ok(mut last) = last.lock() else { return true };
    let due = last.elapsed() >= every;
    if due {
        *last = Instant::now();
    }
    due
}

fn text(event: &Event) -> String {
    match event {
        Event::Step { number, all, title } => format!("\n[{number}/{all}] {title}"),
        Event::Command { line } => format!("  $ {line}"),
        Event::Sql { side, statement } => format!("  {side}> {statement}"),
        Event::Progress { what, all: ..=1, .. } => what.clone(),
        Event::Progress { what, done, all, bytes: true } => format!("{what}: {} of {}", bytes(*done), bytes(*all)),
        Event::Progress { what, done, all, bytes: false } => {
            format!("{what}: {} of {}", grouped(*done), grouped(*all))
        }
        Event::Writes { committed, per_second } => {
            format!("{} transactions committed, {per_second}/s", grouped(*committed))
        }
        Event::Result { text } => format!("  {text}"),
    }
}

/// Shows what changes in place; false for what is to stay.
fn shown(bar: &ProgressBar, event: &Event) -> bool {
    match event {
        Event::Progress { done, all, .. } => {
            bar.set_style(style(if *all > 1 { COUNTING } else { BUSY }));
            bar.set_length(*all);
            bar.set_position(*done);
            bar.set_message(text(event));
            true
        }
        Event::Writes { .. } => {
            bar.set_prefix(text(event));
            true
        }
        Event::Step { .. } => {
            bar.set_style(style(BUSY));
            bar.set_message("");
            bar.set_prefix("");
            bar.reset_elapsed();
            false
        }
        Event::Command { .. } | Event::Sql { .. } | Event::Result { .. } => false,
    }
}

impl Narrator for PlayProgress {
    fn tell(&self, event: &Event) {
        if self.bar.as_ref().is_some_and(|bar| shown(bar, event)) {
            return;
        }
        let (figures, due) = match event {
            Event::Progress { .. } => (true, is_due(&self.last_figures, LINE_EVERY)),
            Event::Writes { .. } => (true, is_due(&self.last_writes, WRITES_EVERY)),
            Event::Step { .. } | Event::Command { .. } | Event::Sql { .. } | Event::Result { .. } => (false, true),
        };
        if !due {
            return;
        }
        match self.output {
            Output::Text if figures => self.write(&format!("  {}", text(event))),
            Output::Text => self.write(&text(event)),
            Output::Json => self.write(&serde_json::json!(event).to_string()),
        }
    }
}
