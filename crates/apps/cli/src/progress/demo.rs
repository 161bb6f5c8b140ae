//! Progress of the demo on stderr: steps and command lines with a bar below them on a terminal, plain lines otherwise,
//! JSON lines where results are JSON.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use atalaya_demo::{Event, Narrator};
use indicatif::{ProgressBar, ProgressStyle};

use crate::global::Output;
use crate::size::bytes;

/// How often figures are written when nobody watches a bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Takes the demo's events.
pub(crate) struct DemoProgress {
    bar: Option<ProgressBar>,
    output: Output,
    last_figures: Mutex<Instant>,
}

impl DemoProgress {
    /// A bar when stderr is a terminal and results are for people.
    pub(crate) fn new(output: Output) -> Self {
        let bar = (output == Output::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, output, last_figures: Mutex::new(Instant::now()) }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn figures_due(&self) -> bool {
        let Ok(mut last) = self.last_figures.lock() else { return true };
        let due = last.elapsed() >= LINE_EVERY;
        if due {
            *last = Instant::now();
        }
        due
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

fn text(event: &Event) -> String {
    match event {
        Event::Step { number, all, title } => format!("\n[{number}/{all}] {title}"),
        Event::Command { line } => format!("  $ {line}"),
        Event::Sql { side, statement } => format!("  {side}> {statement}"),
        Event::Progress { what, done, all, bytes: true } => format!("{what}: {} of {}", bytes(*done), bytes(*all)),
        Event::Progress { what, done, all, bytes: false } => format!("{what}: {done} of {all}"),
        Event::Result { text } => format!("  {text}"),
    }
}

impl Narrator for DemoProgress {
    fn tell(&self, event: &Event) {
        let figures = matches!(event, Event::Progress { .. });
        if let (Some(bar), true) = (&self.bar, figures) {
            bar.set_message(text(event));
            return;
        }
        if figures && !self.figures_due() {
            return;
        }
        if let (Some(bar), Event::Step { .. }) = (&self.bar, event) {
            bar.set_message("");
        }
        match self.output {
            Output::Text if figures => self.write(&format!("  {}", text(event))),
            Output::Text => self.write(&text(event)),
            Output::Json => self.write(&serde_json::json!(event).to_string()),
        }
    }
}
