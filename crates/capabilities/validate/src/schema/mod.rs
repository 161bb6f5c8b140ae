//! Compares the schemas of both sides: every object as its own server describes it, and the SQL that mends what differs.
//!
//! One file in [`kinds`] a kind of object. Reads only, but for a view that is parsed again in a transaction that is
//! rolled back. What a move restores at its end is pending while it runs, and no difference.

mod check;
mod compare;
mod kind;
mod kinds;
mod outlook;
mod plan;
mod probe;
mod read;
mod render;
mod report;
mod script;

pub use check::check_schema;
pub use plan::SchemaPlan;
pub use render::render_schema;
pub use report::{Problem, SCHEMA_REPORT_VERSION, SchemaDifference, SchemaReport, SchemaSide, Severity};
pub use script::mending_script;
