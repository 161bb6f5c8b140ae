//! What a validation says while it runs; who shows it decides how.

use atalaya_data::{Lsn, RelationName};
use atalaya_postgres::load::Held;

use crate::TableReport;

/// A step of a validation.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is known what is to be compared.
    Surveyed {
        /// Tables to compare.
        tables: usize,
        /// Bytes on the source, TOAST included.
        bytes: u64,
    },
    /// Both sides' snapshots are open.
    Opened {
        /// The position both stand at, where a fence was made.
        fence: Option<Lsn>,
    },
    /// A table's comparison begins.
    Started {
        /// The table's name on the source.
        table: &'a RelationName,
    },
    /// A table's comparison has ended; in two looks it may still change.
    Finished {
        /// Its result so far.
        report: &'a TableReport,
    },
    /// The source is too busy for another table, or not any more.
    HeldBack {
        /// What happens.
        held: Held,
    },
    /// Rows that differed are looked at again after a pause.
    LookingAgain {
        /// Tables with such rows.
        tables: usize,
        /// Which look comes, from 2.
        look: u32,
    },
}

/// Is told of each step.
pub trait Progress: Send + Sync {
    /// Takes one step's news; must not block.
    fn tell(&self, event: &Event<'_>);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _event: &Event<'_>) {}
}
