//! People's data in the journal, erased by dropping a key.
//!
//! An event can never be changed, so what is personal in it is sealed before it is appended, under a key of the person
//! it is of: the field is a [`Personal`], the key lies in a [`KeyStore`] outside the journal. Erasing a person drops the
//! key. What was sealed stays where it is, in events, snapshots, projections, brokers and backups, and says nothing any
//! more; every proof holds as before.
//!
//! ```no_run
//! # use atalaya_eventstore::erase::{Personal, Sealer};
//! # use atalaya_eventstore::{Event, EventType, NewEvent};
//! # fn example(sealer: &Sealer, stored: &Event) -> Result<(), Box<dyn std::error::Error>> {
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct CustomerRegistered {
//!     customer: String,
//!     email: Personal<String>,
//! }
//!
//! let fact = CustomerRegistered { customer: "7".into(), email: Personal::new("customer-7", "eve@example.com".into()) };
//! let event = NewEvent::new(EventType::new("CustomerRegistered")?, serde_json::to_vec(&fact)?);
//! let sealed = sealer.seal(event)?; // append this one
//!
//! let opened = sealer.open(stored)?.unwrap_or_default();
//! let fact: CustomerRegistered = serde_json::from_slice(&opened)?;
//! match fact.email.value() {
//!     Some(email) => println!("{email}"),
//!     None => println!("erased"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Personal`] that was opened is written sealed again, wherever it is serialised: a snapshot or a projection's row
//! that holds one keeps no plain text. A projection stores it as it is and opens it with [`Sealer::open_one`] when it is
//! read. One that is keyed by the person, or holds what it computed from the plain text, removes that when it sees the
//! tombstone event [`TOMBSTONE`].
//!
//! What this cannot do: memory that held a key or a plain text is not wiped; the old master key's file is overwritten,
//! which an SSD, a copy-on-write file system or a snapshot of the volume may keep nevertheless; a copy of both the key
//! store and its master key, made before an erasure, opens what it holds.

mod crypt;
mod error;
mod key_id;
mod keys;
mod markers;
mod master;
mod personal;
mod sealed;
mod sealer;
mod vault;

pub use error::ErasureError;
pub use key_id::KeyId;
pub use keys::{KeyFiles, KeyStore};
pub(crate) use markers::holds_unsealed;
pub use personal::Personal;
pub use sealed::SealedField;
pub use sealer::Sealer;
pub use vault::{Erased, Vault};

/// The type of the event that says that keys were dropped: `{"keys": [ids]}`, and never whose.
pub const TOMBSTONE: &str = "SubjectErased";
