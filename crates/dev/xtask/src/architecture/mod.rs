//! The invariants of the tree, each a pure function over a small model of it.
//!
//! The model ([`Tree`]) is read once from `cargo metadata` and the source files; the rules never touch the
//! disk, so that each can be shown to fire on a made-up tree.

mod code;
mod licence;
mod read;
mod report;
mod rules;
mod source;
mod tree;

pub use read::TreeError;
pub use report::report;
pub use rules::{RULES, Rule, check};
pub use tree::{Dependency, Kind, Layer, Package, SourceFile, Tree, Violation};
