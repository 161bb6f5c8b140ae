//! What a drill is asked to be.

use std::path::PathBuf;
use std::time::Duration;

use atalaya_estate::{ConnectionUrl, TablePatterns};
pub use atalaya_replicate::Ownership;

/// Where the schema comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A database whose schema is read; its rows never are.
    Database(ConnectionUrl),
    /// A plain script, as `pg_dump --schema-only` writes it.
    File(PathBuf),
}

/// How the drill is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program whose verbs are drilled.
    pub program: PathBuf,
    /// The folder below which servers and state live until the drill ends.
    pub folder: PathBuf,
    /// Where the schema comes from.
    pub origin: Origin,
    /// The old server's major version; the origin's own unless said.
    pub from: Option<u16>,
    /// The new server's major version; the newest there is unless said.
    pub to: Option<u16>,
    /// The tables that move.
    pub tables: TablePatterns,
    /// The same as written, for the program's own arguments: included, excluded.
    pub patterns: (Vec<String>, Vec<String>),
    /// Tables that are only inserted into, as patterns.
    pub append_only: Vec<String>,
    /// Whether tables without a replica identity get one on the clone.
    pub identities: Identities,
    /// Whether owners and privileges are part of it.
    pub ownership: Ownership,
    /// Rows of each table.
    pub rows: u32,
    /// Transactions a second that clients begin.
    pub rate: u32,
    /// Kills and other faults.
    pub faults: u32,
    /// Decides rows, transactions and faults.
    pub seed: u64,
    /// How long faults may go on to come.
    pub time: Duration,
    /// Whether a row is changed behind the program's back, which the drill must then notice.
    pub tampering: Tampering,
}

/// What is done about tables without a replica identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identities {
    /// They stay as they are: the assessment refuses them.
    Kept,
    /// `assess --set-replica-identity` on the clone.
    Set,
}

/// Whether somebody else writes to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// Nobody does.
    None,
    /// One row is removed before the last proof.
    OneRow,
}
