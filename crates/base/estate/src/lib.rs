//! The estate file, and connection URLs that never show their password.
//!
//! Nothing here reads the environment: every variable comes through a lookup function of the caller.

mod conflicts;
mod file;
mod passfile;
mod patterns;
mod reference;
mod url;

pub use conflicts::{ConflictPolicy, ConflictRule, ConflictRules, PolicyError};
pub use file::{
    Database, Engine, Estate, EstateErrors, EstateProblem, Migration, ResolvedMigration, Service, StoredIn,
};
pub use passfile::PassfileError;
pub use patterns::{PatternError, TablePattern, TablePatterns};
pub use reference::{ResolvedUrl, SecretOrigin};
pub use url::{ConnectionUrl, TlsMode, UrlError};
