//! The way back: what is written to the new server comes to the old one, and nothing goes round.

mod ahead;
mod beside;
mod brought;
pub(crate) mod field;
mod killed;
mod leading;
mod led_over;
mod many;
mod refused;
mod stopped;
