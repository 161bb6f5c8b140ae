//! The critical section: from the first gate that closes to the last one that is open again.
//!
//! One server is writable at any time. Whatever fails before the flip ends with the epoch closed, the fence lifted and
//! clients where they were; whoever takes up what a killed process has left does the same, unless the journal says that
//! clients are led away: then that is brought to its end. Nothing here decides by a clock.

mod decide;
mod hold;
mod prepare;
mod resume;
mod timing;

pub use prepare::{Prepared, prepare};
pub use resume::{Resumed, resume};

/// The places where tests step in, in their order: before and after each effect.
pub const FAILPOINTS: [&str; 17] = [
    "cutover-opening",
    "cutover-opened",
    "cutover-armed",
    "cutover-fencing",
    "cutover-fenced",
    "cutover-marked",
    "cutover-proven",
    "cutover-sequences-set",
    "cutover-flipping",
    "cutover-flipped",
    "cutover-settling",
    "cutover-admitted",
    "cutover-closing",
    "cutover-closed",
    "cutover-lifted",
    "cutover-settled",
    "cutover-reported",
];
