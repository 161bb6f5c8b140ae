//! Reading the catalog into the model of `base/catalog`.

mod relations;
mod sequences;
mod server;

pub use relations::read_relations;
pub use sequences::{SequenceState, read_sequence_values, read_sequences, set_sequences};
pub use server::{ServerIdentity, read_identity};
