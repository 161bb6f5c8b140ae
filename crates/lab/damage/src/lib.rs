//! True bytes, broken: what every decoder is tried with, beside bytes that mean nothing at all.
//!
//! Arbitrary bytes seldom come past a decoder's first field. A true message with one to three things broken comes as far
//! as its author thought, and then further.

mod blow;
mod memory;
mod pieces;

pub use blow::{Blow, blow, damaged, texts};
pub use memory::{MemoryError, within_memory};
pub use pieces::pieces;
