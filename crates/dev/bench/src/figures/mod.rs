//! One file a figure.

mod apply;
mod copy;
mod memory;
mod validate;

use crate::error::Error;
use crate::lab::Lab;
use crate::report::Figure;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Alternating pairs.
    pub(crate) rounds: usize,
    /// pgbench's scale: 100,000 rows each; as many changes in the large transaction.
    pub(crate) scale: u32,
    /// Transactions of a backlog.
    pub(crate) transactions: u32,
}

/// The figures there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Schema, rows, indexes, statistics; beside pgcopydb.
    Copy,
    /// A backlog of changes; beside native logical replication.
    Apply,
    /// Comparison of equal tables; beside a hashed count of both sides, and reladiff.
    Validate,
    /// Peak memory of copying large rows and of applying a large transaction.
    Memory,
}

impl Kind {
    /// Every figure, in the order of the report.
    pub(crate) const ALL: [Self; 4] = [Self::Copy, Self::Apply, Self::Validate, Self::Memory];

    /// Measures.
    pub(crate) fn measure(self, lab: &Lab, size: Size) -> Result<Vec<Figure>, Error> {
        match self {
            Self::Copy => copy::measure(lab, size),
            Self::Apply => apply::measure(lab, size),
            Self::Validate => validate::measure(lab, size),
            Self::Memory => memory::measure(lab, size),
        }
    }
}
