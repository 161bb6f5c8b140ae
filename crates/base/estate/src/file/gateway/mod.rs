//! The section `gateway`: its keys, how they are read, and the page that describes them.

mod databases;
mod doors;
mod fields;
mod keys;
mod page;
mod section;
mod users;

pub use page::render_gateway_reference;
pub(super) use section::read;
