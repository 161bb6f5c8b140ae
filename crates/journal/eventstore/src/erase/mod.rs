//! People's data in the journal, erased by dropping a key.

mod key_id;

pub use key_id::KeyId;
