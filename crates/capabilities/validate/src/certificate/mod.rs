//! The certificate of a move: what stood on both sides at one moment, in one file that a third party can check again.
//!
//! Numbers, names and hashes only: no row value, no definition that could hold one, no host, user or password. A digest
//! over the whole shows that a file was changed; it is no signature, since whoever changes a file can make a new one.

mod check;
mod cutover;
mod digest;
mod document;
mod error;
mod facts;
mod file;
mod make;
mod page;
mod render;
mod totals;

pub use check::{CertificateSide, CheckReport, CheckedSequence, CheckedTable, CheckedTableStatus, check_certificate};
pub use cutover::{CertifiedCommand, CertifiedCutover, CertifiedGateway, CertifiedStage};
pub use document::{
    Certificate, CertifiedConflicts, CertifiedHash, CertifiedPosition, CertifiedProof, CertifiedSchema,
    CertifiedSchemaDifference, CertifiedSequence, CertifiedServer, CertifiedTable, NotCertified, Occasion, StandsAt,
    Total,
};
pub use error::CertificateError;
pub use file::{read_certificate, to_html, to_json};
pub use make::{CertificateDraft, CertificatePlan, Serving};
pub use render::{render_certificate, render_check};
