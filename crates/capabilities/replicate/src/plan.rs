//! What a move is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use atalaya_data::{MigrationId, MigrationName, RelationName};
use atalaya_estate::{ConflictRules, ConnectionUrl};
use atalaya_postgres::load::LoadLimit;
use atalaya_postgres::settings;

use crate::stream::{InProgress, SpillOptions};
use crate::{Acknowledgement, Failpoints, HolderCommand, SpoolOptions};

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopWhen {
    /// Never: it follows the source until it is told to stop.
    Told,
    /// Once everything the source had written when the copy ended is applied.
    CaughtUp,
}

/// Which way changes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the server that is being moved from to the one that is being moved to.
    #[default]
    Forward,
    /// The other way, once the new server is written to.
    Back,
}

/// What becomes of large objects, which are not in the stream of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargeObjects {
    /// They stay behind.
    Left,
    /// They are brought over, and compared at the end.
    Copied,
}

/// Whether this run makes an event trigger on the source, which tells of each statement that touches a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DdlTrigger {
    /// No; one that an earlier run has made stays.
    Left,
    /// Yes, anew where one stands.
    Made,
}

/// Decides whether a relation takes part.
pub type RelationFilter = Box<dyn Fn(&RelationName) -> bool + Send + Sync>;

/// One migration.
pub struct Plan {
    /// Its name: the key of every row about it.
    pub name: MigrationName,
    /// Which one of that name a new one is; one that has begun keeps what it began with.
    pub id: MigrationId,
    /// The server that is being moved from.
    pub source: ConnectionUrl,
    /// The server that is being moved to.
    pub target: ConnectionUrl,
    /// Which relations are moved.
    pub tables: RelationFilter,
    /// Which of them are declared to be only inserted into.
    pub append_only: RelationFilter,
    /// How.
    pub options: Options,
}

/// How a migration runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// When the run ends.
    pub stop_when: StopWhen,
    /// Tables copied at once.
    pub workers: usize,
    /// Indexes built at once.
    pub index_workers: usize,
    /// `maintenance_work_mem` for index builds, in Postgres's notation.
    pub maintenance_work_mem: String,
    /// Tables with more bytes than this are copied in ranges.
    pub split_bytes: u64,
    /// Whether the target's tables are there already, so that no schema is restored.
    pub existing_schema: bool,
    /// Whether large objects are brought over, too.
    pub large_objects: LargeObjects,
    /// Whether restored objects belong to the target's role, without privileges, instead of to the owners
    /// they have on the source.
    pub no_owner: bool,
    /// Changes after which a group is written even within a transaction.
    pub group_changes: usize,
    /// Where changes wait while rows are copied.
    pub spool: SpoolOptions,
    /// Bytes of changes that may wait for the target; bounds memory.
    pub queue_bytes: usize,
    /// Bytes that transactions in progress may take in `work_folder`; with 0 the source keeps them until they are
    /// committed, as 13 does in any case.
    pub spill_bytes: u64,
    /// Whether apply commits wait for the target's disk; if not, the acknowledgement does.
    pub synchronous_commit: bool,
    /// How long apply and copy may wait for a lock that somebody has on a table of the target or the source, before
    /// they begin anew from what is stored; so often as there are `reconnects`.
    pub lock_limit: Duration,
    /// How long a new slot may wait for transactions that are open on the source.
    pub slot_timeout: Duration,
    /// Lost connections in a row, without progress between, after which the run gives up.
    pub reconnects: u32,
    /// How long a server may leave a question without an answer before its connections count as lost.
    pub silence_timeout: Duration,
    /// A physical standby of the source that rows and schema are read from; none to read them from the source itself.
    pub snapshot_from: Option<ConnectionUrl>,
    /// Sessions that a run may have on the source at once; none for no limit.
    pub source_connections: Option<usize>,
    /// How busy the server that rows are read from may be with others for a new table or range to begin; none for no limit.
    pub source_load: Option<LoadLimit>,
    /// Bytes of log that the slot may keep on the source's disk, after which it is given up; none for no limit.
    pub wal_limit: Option<u64>,
    /// The folder with `pg_dump` and `pg_restore` of the target's major version.
    pub client_tools: Option<PathBuf>,
    /// The folders that programs are looked for in, where none is named for them.
    pub program_folders: Vec<PathBuf>,
    /// A folder of this migration's own, for its schema dump and for transactions in progress.
    pub work_folder: PathBuf,
    /// How to start the process that holds the copy's snapshot.
    pub holder: HolderCommand,
    /// Whether an event trigger is made on the source.
    pub ddl_trigger: DdlTrigger,
    /// What is done with rows that somebody else wrote to the target; none leaves what is stored, at first `stop`.
    pub conflicts: Option<ConflictRules>,
    /// Whether `atalaya.conflicts` keeps the values of rows.
    pub conflict_values: bool,
    /// Where a test may end the process.
    pub failpoints: Failpoints,
    /// Which way changes go; a way back is planned by nobody but us.
    pub(crate) direction: Direction,
}

impl Options {
    /// What suits two or more cores and a server of ordinary size.
    #[must_use]
    pub fn new(work_folder: PathBuf, holder: HolderCommand) -> Self {
        Self {
            stop_when: StopWhen::Told,
            workers: 2,
            index_workers: 2,
            maintenance_work_mem: "256MB".to_owned(),
            split_bytes: 1 << 30,
            existing_schema: false,
            large_objects: LargeObjects::Left,
            no_owner: false,
            group_changes: 20_000,
            spool: SpoolOptions { limit_bytes: 16_000_000_000, acknowledgement: Acknowledgement::Applied },
            queue_bytes: 32 << 20,
            spill_bytes: 100_000_000_000,
            synchronous_commit: false,
            lock_limit: settings::LOCK_LIMIT,
            slot_timeout: Duration::from_secs(60),
            reconnects: 8,
            silence_timeout: Duration::from_secs(60),
            snapshot_from: None,
            source_connections: None,
            source_load: None,
            wal_limit: None,
            client_tools: None,
            program_folders: Vec::new(),
            work_folder,
            holder,
            ddl_trigger: DdlTrigger::Left,
            conflicts: None,
            conflict_values: false,
            failpoints: Failpoints::none(),
            direction: Direction::Forward,
        }
    }

    /// Where large transactions are kept until they are committed.
    pub(crate) fn in_progress(&self) -> InProgress {
        if self.spill_bytes == 0 { InProgress::Kept } else { InProgress::Sent }
    }

    /// How they are kept here.
    pub(crate) fn spill(&self) -> SpillOptions {
        SpillOptions {
            folder: self.work_folder.clone(),
            memory_bytes: self.queue_bytes / 8,
            limit_bytes: self.spill_bytes,
            failpoints: self.failpoints.clone(),
        }
    }
}
