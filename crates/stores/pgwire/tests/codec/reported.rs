//! Settings that are reported, within bounds.

use std::collections::BTreeMap;

use atalaya_pgwire::{REPORTED_BYTES_MAX, REPORTED_MAX, note_reported};

#[test]
fn settings_are_kept_up_to_a_number_and_change_without_end() {
    let mut reported = BTreeMap::new();
    for number in 0..REPORTED_MAX {
        note_reported(&mut reported, format!("setting {number}"), "on".to_owned()).unwrap();
    }
    assert!(note_reported(&mut reported, "one more".to_owned(), String::new()).is_err());
    for number in 0..3 * REPORTED_MAX {
        note_reported(&mut reported, "setting 7".to_owned(), number.to_string()).unwrap();
    }
    assert!(reported.len() == REPORTED_MAX && reported["setting 7"] == (3 * REPORTED_MAX - 1).to_string());
}

#[test]
fn settings_are_kept_up_to_a_size_and_the_former_value_does_not_count() {
    let mut reported = BTreeMap::new();
    let large = "x".repeat(REPORTED_BYTES_MAX - 11);
    for _ in 0..2 {
        note_reported(&mut reported, "search_path".to_owned(), large.clone()).unwrap();
    }
    assert!(note_reported(&mut reported, "a".to_owned(), String::new()).is_err());
    assert!(reported.len() == 1 && reported["search_path"] == large);
}
