//! Proves that two databases hold the same rows, and finds those that differ.
//!
//! Each row's canonical text is hashed inside its own server; count and sum of these hashes are compared in
//! buckets of the hash itself, so that neither collations nor keys matter, and only buckets that differ are
//! looked into. While changes are being applied both sides are held at one position by a fence. Nothing here
//! prints, and no row value leaves it except in a [`Report`], where values are masked unless asked for.

mod canonical;
mod certificate;
mod compare;
mod entries;
mod error;
mod findings;
mod judge;
mod looks;
mod merge;
mod moment;
mod outcome;
mod plan;
mod progress;
mod proof;
mod record;
mod render;
mod repair;
mod report;
mod rest;
mod rewritten;
mod run;
mod schema;
mod sequences;
mod survey;
mod unit;

pub use certificate::{
    Certificate, CertificateDraft, CertificateError, CertificatePlan, CertificateSide, CertifiedCommand,
    CertifiedConflicts, CertifiedCutover, CertifiedGateway, CertifiedHash, CertifiedPosition, CertifiedProof,
    CertifiedSchema, CertifiedSchemaDifference, CertifiedSequence, CertifiedServer, CertifiedStage, CertifiedTable,
    CheckReport, CheckedSequence, CheckedTable, CheckedTableStatus, NotCertified, Occasion, Serving, StandsAt, Total,
    check_certificate, read_certificate, render_certificate, render_check, to_html, to_json,
};
pub use error::Error;
pub use moment::oldest_transaction_seconds;
pub use plan::{Method, Moment, Plan, Scope, TableFilter};
pub use progress::{Event, Progress, Silent};
pub use render::{render_status, render_text};
pub use repair::{Repair, repair};
pub use report::{
    ColumnDifference, ColumnValues, Finding, FindingKind, KeyColumn, REPORT_VERSION, Report, SequenceReport,
    SequenceStatus, Shown, SkipVerdict, Skipped, TableReport, TableStatus, Totals,
};
pub use rest::{
    Beyond, BeyondRest, LookedAhead, RestProof, RestReport, beyond_rest, forget_proven, note_from_now_on,
    take_for_proven,
};
pub use run::validate;
pub use schema::{
    Problem, SCHEMA_REPORT_VERSION, SchemaDifference, SchemaPlan, SchemaReport, SchemaSide, Severity, check_schema,
    mending_script, render_schema,
};
