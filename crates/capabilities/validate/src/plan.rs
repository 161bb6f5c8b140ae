//! What is to be compared, and how thoroughly.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atalaya_data::RelationName;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::load::LoadLimit;

/// A whole validation as it was asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The side that is right by definition.
    pub source: ConnectionUrl,
    /// The side that is checked.
    pub target: ConnectionUrl,
    /// Which tables, and what makes both sides comparable.
    pub scope: Scope,
    /// Which of the scope's tables, by the source's names; a partition goes with its root.
    pub tables: TableFilter,
    /// Which sequences that no table owns.
    pub sequences: TableFilter,
    /// How thoroughly.
    pub method: Method,
    /// Tables compared at once; each takes one session a side. At least 1.
    pub workers: usize,
    /// Sessions that the validation may have on the source at once; none for no limit.
    pub source_connections: Option<usize>,
    /// How busy the source may be with others for another table to begin; none for no limit.
    pub source_load: Option<LoadLimit>,
    /// Whether values of columns outside the key are put into the report.
    pub show_values: bool,
    /// Differing rows listed a table; beyond it they are only counted.
    pub listed_max: usize,
    /// How long one snapshot may be held; it keeps vacuum from removing dead rows.
    pub snapshot_age_limit: Duration,
    /// How long each step of making a fence may take.
    pub fence_limit: Duration,
    /// Whether a sequence that stands elsewhere on the target is a difference; always so when quiesced.
    pub strict_sequences: bool,
    /// Nothing but these source tables, after a repair.
    pub(crate) only: Option<Vec<RelationName>>,
    /// Whether the differing rows' identities are kept, for a repair.
    pub(crate) collect_identities: bool,
}

impl Plan {
    /// A full comparison of two databases to which nothing writes, with the documented defaults.
    #[must_use]
    pub fn new(source: ConnectionUrl, target: ConnectionUrl, scope: Scope) -> Self {
        Self {
            source,
            target,
            scope,
            tables: TableFilter::all(),
            sequences: TableFilter::all(),
            method: Method::Full,
            workers: 2,
            source_connections: None,
            source_load: None,
            show_values: false,
            listed_max: 1000,
            snapshot_age_limit: Duration::from_secs(15 * 60),
            fence_limit: Duration::from_secs(30),
            strict_sequences: false,
            only: None,
            collect_identities: false,
        }
    }

    /// Tables compared at once within the limit of sessions: besides one a worker there are the survey's, the fence's
    /// and its marker's.
    pub(crate) fn workers_within(&self) -> usize {
        let left = self.source_connections.map_or(usize::MAX, |limit| limit.saturating_sub(3));
        self.workers.min(left).max(1)
    }
}

/// Which tables, and what makes both sides comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The tables of a running migration, at a fence.
    Migration {
        /// The migration's name, as on the target.
        name: String,
    },
    /// The tables of a migration that has applied everything and whose source nothing writes to any more.
    Drained {
        /// The migration's name, as on the target.
        name: String,
    },
    /// Every table of the source, whether a migration runs or not.
    Databases {
        /// What is known of writes.
        moment: Moment,
    },
}

impl Scope {
    /// Whether the first look counts, sequences included.
    pub(crate) fn is_quiesced(&self) -> bool {
        matches!(self, Self::Drained { .. } | Self::Databases { moment: Moment::Quiesced })
    }
}

/// What is known of writes where no replicator can hold both sides at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing writes: the first look counts.
    Quiesced,
    /// Rows that differ are looked at again; only what differs in the same way each time is a difference.
    Looks {
        /// Time between two looks.
        pause: Duration,
        /// Looks at most, 2 or more.
        looks_max: u32,
    },
}

/// How thoroughly tables are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Numbers of rows only; says nothing of their content.
    Counts,
    /// About so many rows a table, the same on both sides; no proof.
    Sample(u64),
    /// Every column of every row.
    Full,
    /// Every column of each row that was written since every row of its table was proven equal; of every row where that
    /// is longer ago than `full_age_max`, or never was. Needs a migration.
    Touched {
        /// The age from which on a table is proven in full again.
        full_age_max: Duration,
    },
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts => formatter.write_str("counts"),
            Self::Sample(rows) => write!(formatter, "sample={rows}"),
            Self::Full => formatter.write_str("full"),
            Self::Touched { .. } => formatter.write_str("touched"),
        }
    }
}

/// Chooses tables by name.
#[derive(Clone)]
pub struct TableFilter(Arc<dyn Fn(&RelationName) -> bool + Send + Sync>);

impl TableFilter {
    /// Every table.
    #[must_use]
    pub fn all() -> Self {
        Self::new(|_| true)
    }

    /// The tables for which `chosen` says so.
    pub fn new(chosen: impl Fn(&RelationName) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(chosen))
    }

    /// Whether the table is chosen.
    #[must_use]
    pub fn chooses(&self, name: &RelationName) -> bool {
        (self.0)(name)
    }
}

impl fmt::Debug for TableFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TableFilter")
    }
}
