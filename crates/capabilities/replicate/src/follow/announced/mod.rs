//! Statements that the event trigger on the source tells of, met where they stand in the stream.
//!
//! A message is a hint where to look, never what is done: what the target gets is what the source's catalog says. Anybody
//! may send one that is made up; it ends in a look that finds nothing, or in a stop.

mod meet;
mod said;
mod take;

pub(super) use said::Announced;
