//! A move as an operation in the journal.
//!
//! The target's own rows say where a move goes on; nothing here is ever a position to resume from. The journal says what
//! was decided, who decided it, what became of each run, and which step of the whole is next: a saga whose first steps are
//! done by runs that come and go ([`Operation::reached`]), and whose last one is the removal of what is ours. Its
//! compensation takes what is ours from both sides, and leaves the target's data.
//!
//! A move whose journal was lost, or that an earlier version began, is taken up where the target says that it stands.

mod definition;
mod engine;
mod error;
mod event;
mod migrations;
mod operation;
mod recorder;
mod standing;
mod subject;

pub use definition::KIND;
pub use engine::{Engine, Idle};
pub use error::Error;
pub use event::{Extent, MigrationEvent, Verdict};
pub use migrations::{Migrations, open_sagas};
pub use operation::{Done, Operation};
pub use recorder::Recorder;
pub use standing::{LastProof, LastRun, Standing, Standings};
pub use subject::{Known, Reached, Subject};
