//! What databases do that nobody expects: each ends in identical rows or in a loud refusal.

mod conflicts;
mod identity;
mod inheritance;
mod redefined;
mod rewritten;
mod row_security;
mod sequences;
mod silenced;
mod silenced_clones;
mod silenced_over_time;
mod triggers;

use crate::support::{Move, Ran};

/// The migration followed until it has caught up; however that ends.
fn caught_up(shop: &Move, more: &[&str]) -> Ran {
    shop.run("start", &[&["--stop-when", "caught-up"], more].concat())
}

/// Asserts a refusal that says so.
fn refused(ran: &Ran, because: &str) {
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains(because), "{}", ran.stderr);
}
