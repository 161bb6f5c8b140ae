//! The drill: the user's own schema, filled with made-up rows, is moved by the program's own verbs while clients write
//! and faults come: kill -9 of the run, its holder and both servers, restarts, ended sessions, a network that fails.
//!
//! Of the user's database only the schema is read, or not even that when a script is given. Everything else happens on
//! servers of the drill's own. It prints nothing and reads no environment.

mod clone;
mod compare;
mod error;
mod faults;
mod fill;
mod moving;
mod options;
mod play;
mod render;
mod report;
mod stage;
mod writers;

pub use error::Error;
pub use options::{Identities, Options, Origin, Ownership, Tampering};
pub use play::play;
pub use render::render_text;
pub use report::{Comparison, Complaint, Empty, Fault, LeftOut, Report, Schema, Writes};
pub use stage::Stage;
