//! Moves a live database: schema, copy, stream, apply, progress.
//!
//! One migration is one row in `atalaya.migration` on the target. Everything a resumed run needs stands on
//! the target, written in the transaction whose effect it describes; nothing is resumed from memory.
//! A capability never prints and never reads the environment.

mod abort;
mod add_tables;
mod apply;
mod conflict;
mod control;
mod copy;
mod ddl;
mod error;
mod finish;
mod follow;
mod large_objects;
mod operation;
mod pace;
mod plan;
mod progress;
mod protect;
mod ready;
mod report;
mod run;
mod schema;
mod sequences;
mod silence;
mod snapshot;
mod spool;
mod status;
mod stop;
mod stream;
mod touched;
mod views;
mod way_back;

pub(crate) use run::{is_running, run_lock};

pub use abort::{AbortOptions, AbortReport, abort, refuse_running};
pub use add_tables::{Added, Adding, add_tables};
pub use atalaya_control::Failpoints;
pub use atalaya_postgres::control::{MarkerAnswer, MarkerPassed, NotesAnswer, pass_marker, renew_notes};
pub use conflict::{ConflictCount, ConflictRow, conflicts};
pub use ddl::trigger::try_event_trigger;
pub use error::Error;
pub use finish::{clean_up, complete_schema, end_following, has_slot, last_fence, may_finish, set_back_triggers};
pub use operation::{Leading, OperationLock};
pub use plan::{DdlTrigger, Direction, LargeObjects, Options, Plan, RelationFilter, StopWhen};
pub use progress::GivenUp;
pub use ready::{ready_target, unready};
pub use report::{Event, Observer};
pub use run::{Outcome, start};
pub use schema::{Ownership, schema_as_sql};
pub use sequences::CarriedSequences;
pub use snapshot::{HoldRequest, HolderCommand, hold};
pub use spool::{Acknowledgement, SpoolOptions};
pub use status::{SlotHealth, SpoolStatus, Status, TableStatus, status};
pub use stop::stop;
pub use touched::ProofStatus;
pub use views::{fill_views, fills_views};
pub use way_back::{Side, WayBackState, WayBackStatus, make_way_back, remove_way_back, way_back_status};
