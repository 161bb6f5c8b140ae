//! Reading the source's changes: one task that never waits for the target longer than its queue allows, and
//! that keeps answering the source meanwhile.

mod assembly;
mod line;
mod open;
mod options;
mod reader;

pub(crate) use assembly::SpillOptions;
pub(crate) use open::StreamOpener;
pub(crate) use options::InProgress;
use options::pgoutput_options;
pub(crate) use reader::{Arrival, Batch, Reader};
