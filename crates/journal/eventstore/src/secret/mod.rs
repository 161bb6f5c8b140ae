//! Files that only their owner may read, kept apart from what they protect.

mod file;
mod place;

pub use file::SecretFileError;
pub(crate) use file::{create, destroy, read, sync_folder};
pub use place::PlaceError;
pub use place::outside;
pub(crate) use place::resolved;
