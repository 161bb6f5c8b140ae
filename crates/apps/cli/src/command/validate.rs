//! `atalaya validate`.

use crate::exit::{self, Failure};
use crate::global::Context;

/// Arguments of `atalaya validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArguments {}

pub(crate) fn run(_arguments: ValidateArguments, _context: &Context) -> Result<u8, Failure> {
    Ok(exit::DONE)
}
