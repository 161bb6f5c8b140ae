//! What the two services say to each other; neither knows more of the other.

use serde::{Deserialize, Serialize};

/// What the order service says: so many pieces are wanted for an order, or none any more.
#[derive(Serialize, Deserialize)]
pub(crate) struct PiecesWanted {
    pub(crate) order: String,
    pub(crate) article: String,
    pub(crate) pieces: Option<i64>,
}

/// What the inventory answers: whether they are kept for it.
#[derive(Serialize, Deserialize)]
pub(crate) struct PiecesKept {
    pub(crate) order: String,
    pub(crate) kept: bool,
}
