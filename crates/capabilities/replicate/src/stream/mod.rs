//! Reading the source's changes: one task that never waits for the target longer than its queue allows, and
//! that keeps answering the source meanwhile.

mod open;
mod options;
mod reader;

pub(crate) use open::StreamOpener;
use options::pgoutput_options;
pub(crate) use reader::{Arrival, Batch, Reader};
