//! The tree holds its invariants, and each invariant notices when it does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

mod architecture;
mod cases;
mod decoders;
mod functions;
mod reference;
mod refusals;
mod sources;
