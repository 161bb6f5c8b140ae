//! What a comparison of schemas found: a versioned document.

use atalaya_data::RelationName;
use serde::{Deserialize, Serialize};

/// The version of the report's JSON form; raised when a field changes its meaning or goes.
pub const SCHEMA_REPORT_VERSION: u32 = 1;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct SchemaReport {
    /// [`SCHEMA_REPORT_VERSION`].
    pub version: u32,
    /// The side that is right by definition.
    pub source: SchemaSide,
    /// The side that was checked.
    pub target: SchemaSide,
    /// The phase of the migration, while the target knows it.
    pub phase: Option<String>,
    /// What differs, in the order in which it is mended.
    pub differences: Vec<SchemaDifference>,
    /// What the move restores when it ends; no differences.
    pub pending: Vec<SchemaDifference>,
    /// Objects compared, by kind.
    pub compared: Vec<(String, usize)>,
    /// What could not be compared, or never is, and why.
    pub not_compared: Vec<String>,
}

/// One of the two databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaSide {
    /// The server's version, such as `18.6`.
    pub server_version: String,
    /// The database's name.
    pub database: String,
}

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Only the source has it.
    Missing,
    /// Only the target has it.
    Extra,
    /// Both have it, and it is not the same.
    Different,
}

/// What a difference can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Other values are stored, accepted or shown.
    Data,
    /// The same statement does something else, or is refused.
    Behaviour,
    /// The same, slower.
    Performance,
    /// Only people see it.
    Cosmetic,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaDifference {
    /// The kind of object.
    pub kind: &'static str,
    /// Which object, as SQL would name it.
    pub identity: String,
    /// The table it belongs to.
    pub table: Option<RelationName>,
    /// What is wrong.
    pub problem: Problem,
    /// Which attribute differs; none for a missing or extra object.
    pub attribute: Option<String>,
    /// What it can do.
    pub severity: Severity,
    /// The attribute on the source.
    pub source: Option<String>,
    /// The attribute on the target.
    pub target: Option<String>,
    /// The statements that mend it.
    pub sql: Vec<String>,
    /// Whether these remove something that no statement brings back; a script has them as comments.
    pub destroys: bool,
    /// Why nothing mends it, or what else has to be known.
    pub note: Option<String>,
}

impl SchemaReport {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }
}
