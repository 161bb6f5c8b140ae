//! Laws of table patterns.

use atalaya_data::{RelationName, quote_identifier};
use atalaya_estate::{TablePattern, TablePatterns};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text_is_read_without_panic(pattern in "\\PC{0,40}", schema in "\\PC{0,20}", name in "\\PC{0,20}") {
        if let Ok(pattern) = pattern.parse::<TablePattern>() {
            let _either = pattern.matches(&RelationName::new(schema, name));
        }
    }

    #[test]
    fn a_star_matches_everything(schema in "\\PC{0,20}", name in "\\PC{0,20}") {
        let relation = RelationName::new(schema, name);
        for pattern in ["*", "*.*", "**"] {
            prop_assert!(pattern.parse::<TablePattern>().unwrap().matches(&relation));
        }
        prop_assert!(TablePatterns::everything().matches(&relation));
        prop_assert!(!TablePatterns::parse(&[], &["*"]).unwrap().matches(&relation));
    }

    #[test]
    fn a_quoted_name_matches_itself_alone(schema in "\\PC{1,20}", name in "\\PC{1,20}", other in "\\PC{1,20}") {
        let text = format!("{}.{}", quote_identifier(&schema), quote_identifier(&name));
        let pattern = text.parse::<TablePattern>().unwrap();
        prop_assert!(pattern.matches(&RelationName::new(&schema, &name)));
        prop_assert_eq!(pattern.matches(&RelationName::new(&schema, &other)), other == name);
        prop_assert_eq!(pattern.to_string(), text);
    }

    #[test]
    fn wildcards_agree_with_a_plain_definition(pattern in "[ab*?]{1,8}", text in "[ab]{0,8}") {
        fn plain(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|taken| plain(rest, &text[taken..])),
                Some((first, rest)) => {
                    text.split_first().is_some_and(|(letter, after)| (*first == b'?' || first == letter) && plain(rest, after))
                }
            }
        }
        let matched = pattern.parse::<TablePattern>().unwrap().matches(&RelationName::new("s", &text));
        prop_assert_eq!(matched, plain(pattern.as_bytes(), text.as_bytes()));
    }
}
