//! What is to be assessed.

use std::fmt;
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
