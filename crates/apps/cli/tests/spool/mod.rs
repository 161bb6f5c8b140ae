//! Changes that come while rows are copied wait on disk, and nothing that waits there is lost or taken for more than
//! it is.

mod bounds;
mod field;
mod killed;
mod receiving;
mod refused;

pub(crate) use field::Field;
