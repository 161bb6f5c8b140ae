//! Rows and schema read from a physical standby: the source is spared, and nothing is lost, whatever becomes of the
//! standby.

mod field;
mod kills;
mod moves;
mod redefined;
mod refusals;
