//! The estate file, and connection URLs that never show their password.
//!
//! Nothing here reads the environment: every variable comes through a lookup function of the caller.

mod conflicts;
mod file;
mod gateway;
mod passfile;
mod patterns;
mod private_file;
mod reference;
mod url;

pub use conflicts::{ConflictPolicy, ConflictRule, ConflictRules, PolicyError};
pub use file::{
    Database, Engine, Estate, EstateErrors, EstateProblem, Migration, ResolvedMigration, Service, StoredIn,
    render_gateway_reference,
};
pub use gateway::{
    Gateway, GatewayAdmin, GatewayDatabase, GatewayTls, GatewayUser, ListenAddress, ListenError, Pooling, Secret,
    SecretError, SecretSource, ServerLogin, SessionCheck, SourceError, Verifier, VerifierError,
};
pub use passfile::PassfileError;
pub use patterns::{PatternError, TablePattern, TablePatterns};
pub use reference::{ResolvedUrl, SecretOrigin};
pub use url::{ConnectionUrl, TlsMode, UrlError};
