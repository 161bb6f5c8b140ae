//! What breaks bytes breaks them, and what bounds memory bounds it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use atalaya_damage::{MemoryError, damaged, pieces, within_memory};
use proptest::prelude::*;
use proptest::sample::Index;

proptest! {
    #[test]
    fn pieces_are_the_bytes(bytes: Vec<u8>, cuts: Vec<Index>) {
        let all = pieces(&bytes, &cuts);
        prop_assert_eq!(all.len(), cuts.len() + 1);
        prop_assert_eq!(all.concat(), bytes);
    }

    #[test]
    fn no_blow_makes_much_of_little(bytes in damaged([&b"true"[..], b""])) {
        prop_assert!(bytes.len() <= 4 + 3 * 12);
    }
}

/// Run by the test below only, which gives it less.
#[test]
#[ignore = "asks for a gigabyte"]
fn greedy() {
    assert_eq!(Vec::<u8>::with_capacity(1 << 30).len(), 0);
}

#[test]
fn room_that_is_only_asked_for_is_noticed() {
    let greedy = ["--exact", "--include-ignored", "greedy"];
    assert!(matches!(within_memory(700, &greedy), Err(MemoryError::Failed(_))));
    within_memory(4000, &greedy).unwrap();
    assert!(matches!(within_memory(700, &["no test is called so"]), Err(MemoryError::Failed(_))));
}
