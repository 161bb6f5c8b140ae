//! Says before a move what would break it.
//!
//! A registry of checks ([`ALL`]) over facts read once from both sides. [`assess`] only reads, in READ ONLY
//! transactions with a statement timeout, but for an event trigger that is asked for, which is tried in a transaction
//! that is rolled back; the one thing that alters a database is [`apply_identities`], which sets the replica identities
//! that [`plan_identities`] lists.

mod check;
mod checks;
mod error;
mod facts;
mod identity;
mod plan;
mod render;
mod report;
mod run;

pub use check::{Check, Finding, Outcome, Severity, Status};
pub use checks::{ALL, find};
pub use error::Error;
pub use facts::{Facts, Role, Side, SideName};
pub use identity::{IdentityChange, IdentityResult, apply_identities, plan_identities};
pub use plan::{EventTriggerTrial, LargeObjects, Obstacle, Options, Plan, Selector, Trying};
pub use render::{render_list, render_reference, render_text};
pub use report::{CheckResult, Report, SideSummary, Summary};
pub use run::assess;
