//! Where a database's clients are led, as the journal says: read at the start and at each reload, and decided while the
//! gate is closed for an epoch.
//!
//! Nothing here ever opens a gate that was closed for an epoch before the journal has said what was decided. Clocks only say
//! when the gate tries to close an epoch that nobody decides.

mod arm;
mod conclude;
mod fence;
mod follow;
mod hold;
mod journal;
mod ready;
mod settle;

pub(crate) use arm::arm;
pub(crate) use follow::follow_all;
pub(crate) use hold::Route;
pub(crate) use journal::Journal;
pub use journal::{OpenRoutes, Routing};
pub(crate) use ready::make_ready;
pub(crate) use settle::settle;
