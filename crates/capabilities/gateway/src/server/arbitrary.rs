//! The rows of the gateway's own questions, on arbitrary and on damaged bytes.

use atalaya_damage::damaged;
use proptest::prelude::*;

use super::own::first_column;

/// A row of one text, as a server writes it.
fn row(text: &str) -> Vec<u8> {
    [&[0, 1][..], &i32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

proptest! {
    #[test]
    fn arbitrary_and_damaged_rows_never_panic_and_give_no_more_than_came(
        bytes in prop_oneof![any::<Vec<u8>>(), damaged([row("text"), vec![0, 1, 255, 255, 255, 255], vec![0, 0]])],
    ) {
        let text = first_column(&bytes);
        // Another encoding than UTF-8 grows threefold at most.
        prop_assert!(text.is_none_or(|text| text.len() <= 3 * bytes.len()));
    }

    #[test]
    fn a_text_is_read_as_it_was_written(text: String) {
        prop_assert_eq!(first_column(&row(&text)), Some(text));
    }
}
