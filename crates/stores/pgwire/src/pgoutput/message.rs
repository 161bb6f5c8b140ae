//! The shapes of pgoutput's messages.

use atalaya_data::Lsn;
use bytes::Bytes;

/// One column's value in a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// NULL.
    Null,
    /// A large value that this UPDATE did not touch, so it was not sent. It is neither NULL nor empty.
    UnchangedToast,
    /// The type's text output.
    Text(Bytes),
    /// The type's binary output; only where the option `binary` was asked for.
    Binary(Bytes),
}

/// A row's values in the order of the relation's columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tuple {
    /// One value per published column.
    pub values: Vec<Value>,
}

/// What identifies the row as it was before an UPDATE or DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldTuple {
    /// Values of the replica identity's columns; the others are NULL.
    Key(Tuple),
    /// The whole old row: REPLICA IDENTITY FULL.
    Full(Tuple),
}

/// What a table logs of old rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaIdentity {
    /// The primary key, if there is one.
    Default,
    /// Nothing: UPDATE and DELETE cannot be followed.
    Nothing,
    /// The whole row.
    Full,
    /// The columns of a chosen unique index.
    Index,
}

/// A column of a published relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn {
    /// Whether it is part of the replica identity.
    pub is_key: bool,
    /// Its name.
    pub name: String,
    /// Its type's OID on the source.
    pub type_oid: u32,
    /// Its type modifier (`atttypmod`); -1 for none.
    pub type_modifier: i32,
}

/// What a relation looks like from now on; sent before its first change and after each DDL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The OID by which changes name it.
    pub id: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it logs of old rows.
    pub replica_identity: ReplicaIdentity,
    /// The published columns.
    pub columns: Vec<RelationColumn>,
}

/// The name of a type that is not built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// Its OID.
    pub id: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// The start of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// Start of the commit record: the `commit_lsn` of the Commit to come.
    pub final_lsn: Lsn,
    /// Commit time, microseconds since 2000-01-01.
    pub commit_time_micros: i64,
    /// The transaction's id.
    pub xid: u32,
}

/// The end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Start of the commit record.
    pub commit_lsn: Lsn,
    /// The byte after the commit record.
    pub end_lsn: Lsn,
    /// Commit time, microseconds since 2000-01-01.
    pub commit_time_micros: i64,
}

/// TRUNCATE of several relations at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncate {
    /// Every relation emptied, those reached by CASCADE too.
    pub relation_ids: Vec<u32>,
    /// CASCADE was said.
    pub cascade: bool,
    /// RESTART IDENTITY was said.
    pub restart_identity: bool,
}

/// Output of `pg_logical_emit_message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalMessage {
    /// Part of a transaction, and seen only if that commits.
    pub transactional: bool,
    /// Where it stands in the log.
    pub lsn: Lsn,
    /// The sender's prefix.
    pub prefix: String,
    /// The content.
    pub content: Bytes,
}

/// The commit of a streamed transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCommit {
    /// The transaction's id.
    pub xid: u32,
    /// Its positions and time.
    pub commit: Commit,
}

/// The rollback of a streamed transaction or of one of its subtransactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAbort {
    /// The top transaction's id.
    pub xid: u32,
    /// What is rolled back; equal to `xid` for the whole.
    pub subtransaction_xid: u32,
    /// Position of the abort; only with `streaming = parallel`.
    pub abort_lsn: Option<Lsn>,
    /// Time of the abort, microseconds since 2000-01-01; only with `streaming = parallel`.
    pub abort_time_micros: Option<i64>,
}

/// A step of a prepared transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Start of the PREPARE record, or of the commit record in `CommitPrepared`.
    pub lsn: Lsn,
    /// The byte after that record.
    pub end_lsn: Lsn,
    /// Time of the step, microseconds since 2000-01-01.
    pub time_micros: i64,
    /// The transaction's id.
    pub xid: u32,
    /// The name given by PREPARE TRANSACTION.
    pub gid: String,
}

/// ROLLBACK PREPARED.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackPrepared {
    /// The byte after the PREPARE record.
    pub prepare_end_lsn: Lsn,
    /// The byte after the rollback's record.
    pub rollback_end_lsn: Lsn,
    /// Time of the PREPARE, microseconds since 2000-01-01.
    pub prepare_time_micros: i64,
    /// Time of the rollback, microseconds since 2000-01-01.
    pub rollback_time_micros: i64,
    /// The transaction's id.
    pub xid: u32,
    /// The name given by PREPARE TRANSACTION.
    pub gid: String,
}

/// One message of pgoutput.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A transaction begins.
    Begin(Begin),
    /// A transaction is committed.
    Commit(Commit),
    /// The transaction came to the source from elsewhere.
    Origin {
        /// Its commit's position there.
        commit_lsn: Lsn,
        /// The origin's name.
        name: String,
    },
    /// A relation's shape.
    Relation(Relation),
    /// A type's name.
    Type(TypeName),
    /// A row was inserted.
    Insert {
        /// Into this relation.
        relation_id: u32,
        /// The row.
        new: Tuple,
    },
    /// A row was updated.
    Update {
        /// In this relation.
        relation_id: u32,
        /// The old key if it changed, or the old row with REPLICA IDENTITY FULL.
        old: Option<OldTuple>,
        /// The row as it is now.
        new: Tuple,
    },
    /// A row was deleted.
    Delete {
        /// From this relation.
        relation_id: u32,
        /// What identifies it.
        old: OldTuple,
    },
    /// Relations were emptied.
    Truncate(Truncate),
    /// A message from `pg_logical_emit_message`.
    Logical(LogicalMessage),
    /// A block of a transaction still in progress begins.
    StreamStart {
        /// The transaction's id.
        xid: u32,
        /// Whether this is its first block.
        is_first_segment: bool,
    },
    /// The block ends.
    StreamStop,
    /// A streamed transaction is committed.
    StreamCommit(StreamCommit),
    /// A streamed transaction, or a part of it, is rolled back.
    StreamAbort(StreamAbort),
    /// A transaction that ends in PREPARE begins.
    BeginPrepare(Prepared),
    /// A transaction is prepared.
    Prepare(Prepared),
    /// A prepared transaction is committed.
    CommitPrepared(Prepared),
    /// A prepared transaction is rolled back.
    RollbackPrepared(RollbackPrepared),
    /// A streamed transaction is prepared.
    StreamPrepare(Prepared),
}
