//! Tables that are made of events.
//!
//! A projection says which rows an event makes; it writes nothing itself. The rows and the checkpoint go into one
//! transaction that only one runner can have. Another version of a projection is built in tables of its own beside the
//! live one and swapped in when both stand at the same event, so that readers never see half of it and no side effect
//! happens twice. An event that cannot be projected is met in the same way live and in a rebuild.

mod batch;
mod bookkeeping;
mod error;
mod names;
mod parked;
mod projector;
mod swap;
mod table_of;

use atalaya_eventstore::{Dialect, Event, Selection, Statement};

pub use error::ProjectionError;
pub use names::Names;
pub use projector::{Projector, Status, Turn};
pub use table_of::{Made, RowPerAggregate, TableOf};

/// Why an event cannot be projected. The text reaches logs and the list of parked events: never a value of anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison(pub String);

/// What becomes of an event that cannot be projected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPoison {
    /// The projection stops before it, and goes on from there once it is mended.
    Stop,
    /// It is set aside with all that follow under its key, in their order; others go on.
    ParkKey,
}

/// A table of a projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The name that readers use.
    pub name: &'static str,
    /// Its columns and constraints, as within the parentheses of CREATE TABLE.
    pub columns: String,
}

/// Which rows events make.
pub trait Projection: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &str;

    /// Which version of it; raised whenever events make other rows.
    fn version(&self) -> u32;

    /// Which events it is made of.
    fn selection(&self) -> Selection;

    /// Its tables.
    fn tables(&self, dialect: Dialect) -> Vec<Table>;

    /// The statements that bring an event into the tables, whose present names are `names`.
    ///
    /// # Errors
    /// When the event cannot be projected.
    fn project(&self, event: &Event, names: &Names) -> Result<Vec<Statement>, Poison>;

    /// What an event causes besides, such as a row of an outbox: never for events that an earlier version has had.
    ///
    /// # Errors
    /// When the event cannot be projected.
    fn effects(&self, event: &Event) -> Result<Vec<Statement>, Poison> {
        let _nothing = event;
        Ok(Vec::new())
    }

    /// What has to stay in order: events of one key are never projected around one another.
    fn key(&self, event: &Event) -> String {
        event.stream.to_string()
    }

    /// What becomes of an event that cannot be projected.
    fn on_poison(&self) -> OnPoison {
        OnPoison::Stop
    }
}
