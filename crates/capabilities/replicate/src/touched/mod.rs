//! Notes of what was written to tables that have been proven: the next proof looks at these keys only.
//!
//! A note stands in the transaction that writes its row, so that neither a kill nor a crash of the target can part
//! them; a key that is noted and not yet proven again is never forgotten. Tables that nobody has proven are not noted.

mod age;
mod notes;
mod table;

pub use age::ProofStatus;
pub(crate) use notes::Notes;
