//! The shop: a sample database with every kind of table, column and object that a move can stumble over.
//!
//! Made inside the server by set-based statements, the same on every version for the same [`ShopSize`].

mod create;
mod fill;
mod size;

pub use create::{create, create_with_progress};
pub use size::{ShopProgress, ShopSize, ShopTotals};
