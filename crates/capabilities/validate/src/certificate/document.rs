//! The document itself. A field that changes its meaning raises [`FORMAT`]; numbers that may not fit a double are text.

use std::collections::BTreeMap;

use atalaya_data::RelationName;
use serde::{Deserialize, Serialize};

use super::cutover::CertifiedCutover;
use crate::{Problem, SchemaSide, Severity};

/// The format that this version writes.
pub(crate) const FORMAT: u32 = 1;

/// What stood on both sides at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The version of this form.
    pub format: u32,
    /// Who made it, such as `atalaya 0.1.0`.
    pub product: String,
    /// The migration's name, where there is one.
    pub migration: Option<String>,
    /// When in the life of a move it was made.
    pub occasion: Occasion,
    /// `fence`: both sides at one position of the source's log; `way_back`: of the target's, which had the clients; `quiesced`: nothing wrote; `snapshots`: one after the
    /// other, so that what was written between them differs.
    pub moment: String,
    /// The position, where a fence was made.
    pub fence: Option<String>,
    /// When the migration began, in UTC.
    pub began_at: Option<String>,
    /// When both sides' snapshots were opened, in UTC, by the target's clock.
    pub made_at: String,
    /// The side that was moved from.
    pub source: CertifiedServer,
    /// The side that was moved to.
    pub target: CertifiedServer,
    /// How rows were hashed.
    pub hash: CertifiedHash,
    /// Every table, in name order.
    pub tables: Vec<CertifiedTable>,
    /// Tables whose rows may differ, by decision of their conflict policy and of whoever ended the move.
    pub accepted: Vec<RelationName>,
    /// Tables that moved and could not be hashed, and why.
    pub not_read: Vec<NotCertified>,
    /// Tables of the source, and parts of the whole, that nothing here speaks of.
    pub not_certified: Vec<NotCertified>,
    /// Every sequence that moved, in name order.
    pub sequences: Vec<CertifiedSequence>,
    /// How the schemas differed.
    pub schema: CertifiedSchema,
    /// Rows that did not apply as they came, by kind and by what was done.
    pub conflicts: Vec<CertifiedConflicts>,
    /// What the move had applied.
    pub position: Option<CertifiedPosition>,
    /// The proof that `finish` asked for before.
    pub proof: Option<CertifiedProof>,
    /// How clients were led to the other server and back, in the journal's order. Earlier versions did not know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cutovers: Vec<CertifiedCutover>,
}

/// When in the life of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// By `migrate finish`, before anything was removed.
    Finish,
    /// By `validate --certificate`.
    Validate,
}

/// One of the two servers. No host, port or user: they say nothing of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedServer {
    /// Version and database.
    #[serde(flatten)]
    pub side: SchemaSide,
    /// `pg_control_system().system_identifier`, as text.
    pub system_identifier: String,
    /// The timeline.
    pub timeline: i32,
    /// The database's encoding.
    pub encoding: String,
}

/// How rows were hashed: all that is needed to do it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedHash {
    /// In words.
    pub algorithm: String,
    /// The seed of every hash, as text: another one in each certificate.
    pub seed: String,
    /// Whether texts were converted to UTF-8 first, since the encodings differ.
    pub converted: bool,
    /// The session's settings, without which values may have other texts.
    pub settings: BTreeMap<String, String>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedTable {
    /// The source's table; several where they make up one table of the target.
    pub sources: Vec<RelationName>,
    /// The target's.
    pub name: RelationName,
    /// The columns that were hashed, in this order.
    pub columns: Vec<String>,
    /// Those whose bytes were hashed in place of their text; not there where none were, nor in files of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binary: Vec<String>,
    /// The source's rows.
    pub source: Total,
    /// The target's rows.
    pub target: Total,
    /// The statement that computes it on the source.
    pub source_sql: String,
    /// The statement that computes it on the target.
    pub target_sql: String,
}

/// Rows and the sum of their hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Rows.
    pub rows: u64,
    /// The sum of all rows' hashes, as text.
    pub hash: String,
}

/// What nothing here speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCertified {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// Where a sequence stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedSequence {
    /// Its name.
    pub name: RelationName,
    /// On the source.
    pub source: StandsAt,
    /// On the target; none where it is missing.
    pub target: Option<StandsAt>,
}

/// A sequence's own state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandsAt {
    /// `last_value`, as text.
    pub last_value: String,
    /// Whether it has been given out.
    pub is_called: bool,
}

/// How the schemas differed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedSchema {
    /// Every difference, without definitions.
    pub differences: Vec<CertifiedSchemaDifference>,
    /// What the move had still to restore.
    pub pending: usize,
    /// Objects compared, by kind.
    pub compared: BTreeMap<String, usize>,
    /// What was not compared.
    pub not_compared: Vec<String>,
}

/// One difference of the schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedSchemaDifference {
    /// The kind of object.
    pub kind: String,
    /// Which.
    pub identity: String,
    /// What is wrong.
    pub problem: Problem,
    /// Which attribute differs.
    pub attribute: Option<String>,
    /// What it can do.
    pub severity: Severity,
}

/// Rows that did not apply as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedConflicts {
    /// The kind of conflict.
    pub kind: String,
    /// What was done with it.
    pub resolution: String,
    /// How many.
    pub count: u64,
}

/// What a move had applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedPosition {
    /// The stored position.
    pub applied: String,
    /// Transactions of the source.
    pub transactions: u64,
    /// Changes.
    pub changes: u64,
    /// Rows that the copy brought.
    pub copied_rows: u64,
}

/// The proof that came before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedProof {
    /// How thoroughly it looked.
    pub method: String,
    /// What made both sides comparable.
    pub moment: String,
    /// Positions of its fences.
    pub fences: Vec<String>,
    /// Tables it looked at.
    pub tables: usize,
    /// Of these, proven equal.
    pub equal: usize,
    /// How long it took.
    pub duration_ms: u64,
}

impl CertifiedTable {
    /// Whether both sides held the same rows.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }
}

impl CertifiedSequence {
    /// Whether both sides stood alike.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.target.as_ref() == Some(&self.source)
    }
}

impl Certificate {
    /// Whether rows and schemas were equal, and everything could be looked at.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.rows_are_equal() && self.schema.differences.is_empty() && self.not_read.is_empty()
    }

    /// Whether every table that was hashed was equal, those apart that may differ. Sequences count where nothing wrote: a running move sets them at its end.
    #[must_use]
    pub fn rows_are_equal(&self) -> bool {
        let accepted = |table: &CertifiedTable| table.sources.iter().any(|source| self.accepted.contains(source));
        self.tables.iter().all(|table| table.is_equal() || accepted(table))
            && (self.moment != "quiesced" || self.sequences.iter().all(CertifiedSequence::is_equal))
    }
}
