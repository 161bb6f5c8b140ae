//! No decoder makes room for what a length promises.

use atalaya_damage::within_memory;

/// Far more than the tests need, and less than most of the lengths that they lie about.
const LIMIT_MIB: u32 = 600;

#[test]
fn what_was_promised_and_did_not_come_takes_no_memory() {
    within_memory(LIMIT_MIB, &["arbitrary::"]).unwrap();
}
