//! The user's schema on a server of the drill's own: read as a script, restored entry by entry.
//!
//! Only the schema is ever read, and a script that holds rows is refused. What cannot be restored is left out and told.

mod restore;
mod script;

pub(crate) use restore::{make_role, restore, said};
pub(crate) use script::{Entry, Script};
