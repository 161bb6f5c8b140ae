//! Sessions for statements: connecting, and what their errors say.

mod clear_text;
mod connecting;
mod control;
mod errors;
mod fence_slot;
