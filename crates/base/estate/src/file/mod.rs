//! The estate file: what it declares, and how it is read.

mod check;
mod gateway;
mod model;
mod parse;
mod problem;
mod reader;
mod redact;
mod tree;
mod values;
mod variables;

pub use gateway::render_gateway_reference;
pub use model::{Database, Engine, Estate, Migration, ResolvedMigration, Service, StoredIn};
pub use problem::{EstateErrors, EstateProblem};
