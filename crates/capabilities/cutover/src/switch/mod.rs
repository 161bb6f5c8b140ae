//! The critical section: from the first gate that closes to the last one that is open again.
//!
//! Of each database one server is writable at any time. Several databases are held, fenced and proven side by side, and decided
//! by one append: none of them is led away unless all are. Whatever fails before the flip ends with the epoch closed, the fence lifted and
//! clients where they were; whoever takes up what a killed process has left does the same, unless the journal says that
//! clients are led away: then that is brought to its end. Nothing here decides by a clock.

mod decide;
mod hold;
mod prepare;
mod resume;
mod run;
mod timing;

pub(crate) use prepare::leads_nobody;
pub use prepare::{Prepared, prepare};
pub use resume::{Begun, Resumed, resume};
pub(crate) use resume::{lead_again, opened, refuse_without_commands};
pub(crate) use timing::DRAIN;

/// The places where tests step in, in their order: before and after each effect. Those from the fence to the proof, and those of
/// letting in again, are come by once a database.
pub const FAILPOINTS: [&str; 18] = [
    "cutover-opening",
    "cutover-opened",
    "cutover-armed",
    "cutover-fencing",
    "cutover-fenced",
    "cutover-marked",
    "cutover-proven",
    "cutover-sequences-set",
    "cutover-rechecking",
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
