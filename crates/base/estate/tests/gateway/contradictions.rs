//! What only the whole file can tell.

use super::{file, places, with_settings};
use crate::parse;

#[test]
fn a_database_leads_to_one_of_the_estates_and_that_is_postgres() {
    let text = |to: &str| file(&format!("  users:\n  databases: {{ shop: {{ to: {to} }} }}\n"));
    assert_eq!(places(&text("ordrs")), ["8:28 unknown_database"]);
    assert!(parse(&text("ordrs")).unwrap_err().listing().contains("did you mean `orders`?"));
    assert_eq!(places(&text("old")), ["8:28 unsupported_engine"]);
    assert!(parse(&text("old")).unwrap_err().listing().contains("is on mysql"));
}

#[test]
fn a_database_that_cannot_be_read_is_told_once() {
    let text = with_settings("").replace("orders: { engine: postgres", "orders: { engine: postgress");
    assert_eq!(places(&text), ["3:21 unknown_engine"]);
}

#[test]
fn a_user_has_secrets_for_what_the_gateway_offers() {
    let text = with_settings("").replace("shop: 'env:A'", "shpo: 'env:A'");
    let errors = parse(&text).unwrap_err();
    let [problem] = errors.problems() else { panic!("one problem") };
    assert_eq!((problem.code(), problem.line()), ("estate::unknown_database", 7));
    assert_eq!(problem.hint(), Some("did you mean `shop`?"));
    assert!(problem.to_string().contains("`shpo`, which the gateway does not offer"), "{problem}");
}

#[test]
fn a_secret_for_a_database_that_cannot_be_read_is_no_second_problem() {
    let text = with_settings("").replace("{ to: orders }", "{ to: orders, check: x }");
    assert_eq!(places(&text), ["8:43 unknown_word"]);
}

#[test]
fn a_database_that_is_open_to_nobody_is_told_as_a_warning() {
    let text = with_settings("").replace("{ shop: { to: orders } }", "{ shop: { to: orders }, other: { to: green } }");
    let estate = parse(&text).unwrap();
    let [warning] = estate.warnings() else { panic!("one warning") };
    assert_eq!((warning.code(), warning.line(), warning.column()), ("estate::unreachable", 8, 38));
    assert_eq!(warning.to_string(), "gateway database `other` is open to nobody");
    assert_eq!(estate.gateway.unwrap().databases.len(), 2);
}

#[test]
fn an_address_is_listened_on_once() {
    for (settings, place) in [
        ("listen: ['127.0.0.1:1', '127.0.0.1:1']", "7:27"),
        ("listen: ['LOCALHOST:1', 'localhost:1']", "7:27"),
        ("listen: ['[::1]:1', '[0::1]:1']", "7:23"),
        ("listen: ['/run:1', '/run:1']", "7:22"),
        ("metrics: 127.0.0.1:6432", "7:12"),
        ("listen: a:1\nmetrics: a:1", "8:12"),
        ("metrics: a:2\nadmin: { listen: 'a:2', certificate: a, key: b, authority: c }", "7:12"),
    ] {
        assert_eq!(places(&with_settings(settings)), [format!("{place} contradiction")], "{settings}");
    }
    for settings in ["listen: ['127.0.0.1:1', '127.0.0.1:2', '/run:1', '/run:2', '[::1]:1']", "metrics: 127.0.0.1:1"] {
        assert!(parse(&with_settings(settings)).is_ok(), "{settings}");
    }
}

#[test]
fn names_given_twice_are_refused() {
    let text = file("  users:\n  databases:\n    shop: { to: orders }\n    shop: { to: green }\n");
    assert_eq!(places(&text), ["10:5 duplicate_key"]);
}

#[test]
fn all_problems_of_the_section_are_told_at_once_in_the_order_of_the_file() {
    let text = "estate: a
gateway:
  listen: x
  workers: 0
  databases:
    shop: { to: nowhere, pooling: x }
  users:
    app:
      verifier: x
      secrets: { other: x }
databases: {}
";
    assert_eq!(
        places(text),
        [
            "3:11 address",
            "4:12 wrong_type",
            "6:17 unknown_database",
            "6:35 unknown_word",
            "9:17 verifier",
            "10:18 unknown_database",
            "10:25 secret",
        ]
    );
}
