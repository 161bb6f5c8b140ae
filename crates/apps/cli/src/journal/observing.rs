//! What a run says, to people and to the journal at once.

use atalaya_migration::{MigrationEvent, Reached, Recorder};
use atalaya_replicate::{Event, Observer, Outcome};

use crate::exit::{self, Failure};
use crate::progress::Progress;
use crate::runtime::Interrupted;

/// Passes events on to both.
pub(crate) struct Observing<'a> {
    pub(crate) progress: &'a Progress,
    pub(crate) recorder: &'a Recorder,
}

impl Observer for Observing<'_> {
    fn observe(&self, event: &Event) {
        self.progress.observe(event);
        match event {
            Event::Phase { phase: "copy" } => self.recorder.reached(Reached::Copy),
            Event::Phase { phase: "stream" } => self.recorder.reached(Reached::Stream),
            _ => {}
        }
        if let Some(event) = recorded(event) {
            self.recorder.happened(event);
        }
    }
}

/// What is kept of an event; figures that come all the time are not.
fn recorded(event: &Event) -> Option<MigrationEvent> {
    Some(match event {
        Event::Phase { phase } => MigrationEvent::PhaseBegan { phase: (*phase).to_owned() },
        Event::TableCopied { table, rows } => MigrationEvent::TableCopied { table: table.to_string(), rows: *rows },
        Event::CaughtUp => MigrationEvent::CaughtUp,
        Event::Followed { change } => MigrationEvent::SchemaFollowed { change: change.clone() },
        Event::Warning { text } => MigrationEvent::Warned { text: text.clone() },
        Event::Reconnect { attempt, reason } => {
            MigrationEvent::Reconnected { attempt: *attempt, reason: reason.clone() }
        }
        Event::Copied { .. } | Event::Built { .. } | Event::LargeObjects { .. } | Event::Applied { .. } => return None,
    })
}

/// How a run ended.
pub(crate) fn outcome_of(run: &str, ended: &Result<Result<Outcome, Failure>, Interrupted>) -> MigrationEvent {
    let (outcome, reason) = match ended {
        Ok(Ok(Outcome::CaughtUp)) => ("caught up", None),
        Ok(Ok(Outcome::Stopped)) => ("stopped", None),
        Err(Interrupted) => ("interrupted", None),
        Ok(Err(failure)) if failure.code == exit::REFUSED => ("refused", Some(failure.message.clone())),
        Ok(Err(failure)) => ("failed", Some(failure.message.clone())),
    };
    MigrationEvent::RunEnded { run: run.to_owned(), outcome: outcome.to_owned(), reason }
}
