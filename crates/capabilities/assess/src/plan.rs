//! What is to be assessed.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use atalaya_data::RelationName;
use atalaya_estate::{ConflictRules, ConnectionUrl};

/// Says of a table whether it is meant.
pub type Selector = Box<dyn Fn(&RelationName) -> bool + Send + Sync>;

/// A move that somebody plans.
pub struct Plan {
    /// Where the rows are.
    pub source: ConnectionUrl,
    /// Where they shall be.
    pub target: ConnectionUrl,
    /// The tables that move; excluded ones already left out.
    pub tables: Selector,
    /// What was declared and decided beforehand.
    pub options: Options,
}

/// What becomes of large objects, which are not in the stream of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargeObjects {
    /// Nobody has decided: a database that has some is not moved.
    Refused,
    /// They stay behind, on purpose.
    Left,
    /// They are brought over once, and compared at the end.
    Copied,
}

/// What keeps an event trigger from being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What was seen.
    pub seen: String,
    /// What to do, as exact SQL where there is such.
    pub remedy: String,
}

/// Says whether an event trigger can be made on the source. No catalog tells: managed services allow it to roles of their
/// own. So whoever makes it tries it, and leaves nothing behind.
pub trait EventTriggerTrial: Send + Sync {
    /// Makes the trigger, and takes it back. Answers with what is in its way.
    fn try_out<'a>(&'a self, source: &'a ConnectionUrl) -> Trying<'a>;
}

/// The answer of a trial that is going on; its error is that of a server that gave none.
pub type Trying<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Obstacle>, Box<dyn StdError + Send + Sync>>> + Send + 'a>>;

/// What was declared and decided beforehand.
pub struct Options {
    /// What becomes of large objects.
    pub large_objects: LargeObjects,
    /// Tables declared to see only INSERT (and TRUNCATE), so that they need no replica identity.
    pub append_only: Selector,
    /// The target's schema exists and is used as it is.
    pub existing_schema: bool,
    /// Restored objects belong to the target's role, without privileges.
    pub no_owner: bool,
    /// What is done with rows that somebody else writes to the target.
    pub conflicts: ConflictRules,
    /// A physical standby of the source that rows and schema are read from.
    pub snapshot_from: Option<ConnectionUrl>,
    /// Tries the event trigger on the source; none where none is asked for.
    pub event_trigger: Option<Box<dyn EventTriggerTrial>>,
    /// A transaction on the source that is older holds up the slot's creation for too long.
    pub long_transaction: Duration,
    /// No statement of the assessment may run longer.
    pub statement_timeout: Duration,
    /// Ids of checks whose warnings are known and accepted; a failure cannot be tolerated.
    pub tolerated: Vec<String>,
    /// Warnings that are not tolerated forbid the move too.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            large_objects: LargeObjects::Refused,
            append_only: Box::new(|_| false),
            existing_schema: false,
            no_owner: false,
            conflicts: ConflictRules::default(),
            snapshot_from: None,
            event_trigger: None,
            long_transaction: Duration::from_secs(60),
            statement_timeout: Duration::from_secs(30),
            tolerated: Vec::new(),
            strict: false,
        }
    }
}

impl Plan {
    /// A move of every table, with nothing declared.
    #[must_use]
    pub fn new(source: ConnectionUrl, target: ConnectionUrl) -> Self {
        Self { source, target, tables: Box::new(|_| true), options: Options::default() }
    }

    /// Moves only the tables that `tables` says yes to.
    #[must_use]
    pub fn tables(mut self, tables: Selector) -> Self {
        self.tables = tables;
        self
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Plan")
            .field("source", &self.source)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
