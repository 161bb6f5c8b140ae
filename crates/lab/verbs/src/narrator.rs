//! What is told while a play goes on.

use serde::Serialize;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step of the play began.
    Step {
        /// Its number, from 1.
        number: u32,
        /// How many there are.
        all: u32,
        /// What it is.
        title: String,
    },
    /// The program is run with this command line; no credential is in it.
    Command {
        /// As one would type it.
        line: String,
    },
    /// SQL is run by somebody else than the program.
    Sql {
        /// On which side.
        side: &'static str,
        /// The statement.
        statement: String,
    },
    /// Where the step stands.
    Progress {
        /// What is worked on.
        what: String,
        /// How much is done.
        done: u64,
        /// Of how much.
        all: u64,
        /// Whether these are bytes.
        bytes: bool,
    },
    /// What clients have written so far.
    Writes {
        /// Transactions that they were told committed.
        committed: u64,
        /// Of these, in the last second.
        per_second: u64,
    },
    /// What a step came to.
    Result {
        /// One line.
        text: String,
    },
}

/// Takes events; must not block.
pub trait Narrator: Send + Sync {
    /// Called for every event, from several tasks.
    fn tell(&self, event: &Event);
}
