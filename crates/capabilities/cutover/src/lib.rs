//! Leads a database's clients from one server to the other, with a way back, while nobody's transaction fails.
//!
//! Gateways hold new transactions; the server that is left is fenced; the last changes are applied and proven on the other
//! side; one append in the journal says where clients are led from there on; gateways open there. Whatever fails before
//! that append ends with clients where they were. A rehearsal does everything but the append. Several databases are led by one
//! append, all of them or none.
//!
//! What is needed of others is said by traits ([`TrafficGate`], [`ReplicationControl`]); nothing here knows a gateway or a
//! replicator. Where no gateway stands, commands of the operator's lead clients ([`CommandGate`]). Nothing here ever writes a
//! row of a user's table.

mod commands;
mod course;
mod courses;
mod error;
mod extension;
pub mod fence;
mod gate;
pub mod preflight;
pub mod prewarm;
mod replication;
mod report;
mod saga;
pub mod switch;

pub use commands::{COMMANDS, CommandGate, Commands, has_gateways, options_of};
pub use course::{Course, Ends, Limits, Means, OtherSchema, PlanCheck, Plans, Purpose, Unproven};
pub use courses::Courses;
pub use error::Error;
pub use gate::{Armed, GateKind, Holding, PartError, ReadyGate, Settled, TrafficGate};
pub use replication::{
    Charge, Direction, Following, Harm, LastProof, MarkerPassed, Outlook, Proven, ReplicationControl, SchemaDifference,
    Unprovable, WayBack,
};
pub use report::{CommandKind, CommandReport, GateReport, Outcome, RecordedReport, Report, ReportOfSeveral, Stage};
pub use saga::{Cutovers, KIND, KIND_OF_SEVERAL};
