//! `atalaya assess`.

use crate::exit::{self, Failure};
use crate::global::Context;

/// Arguments of `atalaya assess`.
#[derive(Debug, clap::Args)]
pub(crate) struct AssessArguments {}

pub(crate) fn run(_arguments: AssessArguments, _context: &Context) -> Result<u8, Failure> {
    Ok(exit::DONE)
}
