//! Values that are none, each at its place and with the next step.

use super::{file, places, with_settings};
use crate::{parse, rendered};

/// The problems of one setting of the gateway.
fn setting(text: &str) -> Vec<String> {
    places(&with_settings(text))
}

/// The problems of one database of the gateway.
fn database(entries: &str) -> Vec<String> {
    places(&file(&format!(
        "  users: {{ app: {{ verifier: VERIFIER, secrets: {{ shop: 'env:A' }} }} }}\n  databases:\n    \
         shop: {{ to: orders, {entries} }}\n"
    )))
}

/// The problems of one user of the gateway.
fn user(entries: &str) -> Vec<String> {
    places(&in_user(entries))
}

fn in_user(entries: &str) -> String {
    let entries: String = entries.lines().map(|line| format!("      {line}\n")).collect();
    file(&format!("  databases: {{ shop: {{ to: orders }} }}\n  users:\n    app:\n{entries}"))
}

#[test]
fn unknown_keys_are_told_at_every_level_with_a_suggestion() {
    let text = file(
        "  listn: 127.0.0.1:1
  tls: { certificate: a, key: b, require: true }
  admin: { listen: 127.0.0.1:2, certificate: a, key: b, authorty: c, authority: c }
  databases:
    shop: { to: orders, server_max: 3 }
  users:
    app:
      verifer: x
      verifier: VERIFIER
      secrets:
        shop: { usr: x, secret: env:A }
",
    );
    assert_eq!(
        places(&text),
        [
            "7:3 unknown_key",
            "8:34 unknown_key",
            "9:57 unknown_key",
            "11:25 unknown_key",
            "14:7 unknown_key",
            "17:17 unknown_key",
        ]
    );
    let listing = parse(&text).unwrap_err().listing();
    for word in ["listen", "required", "authority", "servers_max", "verifier", "user"] {
        assert!(listing.contains(&format!("did you mean `{word}`?")), "{word} in {listing}");
    }
    assert!(listing.contains("unknown key `usr` in the secret for `shop` of gateway user `app`"), "{listing}");
}

#[test]
fn what_has_to_be_there_is_asked_for_where_it_belongs() {
    assert_eq!(places(&file("  listen: 127.0.0.1:1\n")), ["7:3 missing_key", "7:3 missing_key"]);
    assert_eq!(setting("tls: { key: b }"), ["7:3 missing_key"]);
    assert_eq!(setting("admin: { listen: '127.0.0.1:1' }"), ["7:3 missing_key"; 3]);
    assert_eq!(user("verifier: VERIFIER"), ["9:5 missing_key"]);
    assert_eq!(user("secrets: { shop: env:A }"), ["9:5 missing_key"]);
    assert_eq!(user("verifier: VERIFIER\nsecrets: { shop: { user: x } }"), ["11:18 missing_key"]);
    assert_eq!(places(&file("  users:\n  databases:\n    shop: { pooling: session }\n")), ["9:5 missing_key"]);
    assert_eq!(places(&file("  users:\n  databases:\n")), ["8:3 empty"]);
}

#[test]
fn numbers_have_limits_and_are_whole() {
    for text in ["workers: 0", "workers: 65", "workers: two", "workers: '2'", "workers: [2]"] {
        assert_eq!(setting(text), ["7:12 wrong_type"], "{text}");
    }
    for text in ["clients_max: 0", "clients_max: 1000001", "clients_max: -1", "clients_max: 1.5"] {
        assert_eq!(setting(text), ["7:16 wrong_type"], "{text}");
    }
    for (key, most) in [
        ("servers_max", 10_000),
        ("wait_seconds", 3_600),
        ("server_idle_seconds", 86_400),
        ("server_lifetime_seconds", 604_800),
        ("prepared_max", 100_000),
    ] {
        let text = |number: u32| {
            file(&format!("  users:\n  databases:\n    shop:\n      to: orders\n      {key}: {number}\n"))
        };
        for wrong in [0, most + 1] {
            assert_eq!(places(&text(wrong)), [format!("11:{} wrong_type", key.len() + 9)], "{key}: {wrong}");
        }
        let listing = parse(&text(0)).unwrap_err().listing();
        assert!(listing.contains(&format!("has to be a whole number from 1 to {most}")), "{listing}");
        for right in [1, most] {
            assert!(parse(&text(right)).is_ok(), "{key}: {right}");
        }
    }
}

#[test]
fn words_are_known_ones() {
    assert_eq!(database("pooling: sesion"), ["9:34 unknown_word"]);
    assert_eq!(database("pooling: true"), ["9:34 wrong_type"]);
    assert_eq!(database("check: never"), ["9:32 unknown_word"]);
    assert_eq!(setting("tls: { certificate: a, key: b, required: yes }"), ["7:44 wrong_type"]);
    let text = file("  users:\n  databases: { shop: { to: orders, pooling: sesion } }\n");
    assert!(parse(&text).unwrap_err().listing().contains("did you mean `session`?"));
}

#[test]
fn addresses_are_told_apart_from_what_is_none() {
    for text in ["listen: localhost", "listen: '*:6432'", "listen: run/atalaya:6432", "listen: 'localhost:0'"] {
        assert_eq!(setting(text), ["7:11 address"], "{text}");
    }
    assert_eq!(setting("listen: 6432"), ["7:11 wrong_type"]);
    assert_eq!(setting("listen: []"), ["7:11 empty"]);
    assert_eq!(setting("listen: ''"), ["7:11 empty"]);
    assert_eq!(setting("listen: ['127.0.0.1:1', x]"), ["7:27 address"]);
    assert_eq!(setting("metrics: /run/atalaya:1"), ["7:12 address"]);
    assert_eq!(setting("admin: { listen: '/run:1', certificate: a, key: b, authority: c }"), ["7:20 address"]);
    let listing = parse(&with_settings("listen: run/atalaya:6432")).unwrap_err().listing();
    assert!(listing.contains("has to be an absolute path"), "{listing}");
    assert!(listing.contains("hint: write a short absolute path"), "{listing}");
}

#[test]
fn a_verifier_is_one_and_never_a_password() {
    let secrets = "\nsecrets: { shop: env:A }";
    for wrong in ["hunter2", "md50123456789abcdef0123456789abcdef", "'SCRAM-SHA-256$4096:AAAA$AAAA:AAAA'"] {
        let text = in_user(&format!("verifier: {wrong}{secrets}"));
        assert_eq!(places(&text), ["10:17 verifier"], "{wrong}");
        let errors = parse(&text).unwrap_err();
        let shown = format!("{} {}", errors.listing(), rendered(&errors));
        assert!(shown.contains("atalaya gateway verifier"), "{shown}");
        for part in ["hunter2", "012345", "AAAA"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
    }
    assert_eq!(user(&format!("verifier: 12345{secrets}")), ["10:17 wrong_type"]);
    assert_eq!(user(&format!("verifier: [VERIFIER]{secrets}")), ["10:17 wrong_type"]);
}

#[test]
fn a_verifier_of_few_iterations_is_used_with_a_warning() {
    let text = in_user("verifier: VERIFIER\nsecrets: { shop: env:A }").replace("$4096:", "$4095:");
    let estate = parse(&text).unwrap();
    let [warning] = estate.warnings() else { panic!("one warning") };
    assert_eq!((warning.code(), warning.line(), warning.column()), ("estate::weak_verifier", 10, 17));
}

#[test]
fn a_secret_is_named_and_never_written() {
    let verifier = "verifier: VERIFIER\nsecrets:\n";
    for (wrong, hint) in [
        ("hunter2", "a secret is never written here"),
        ("'env:hunter-2'", "write `env:NAME`"),
        ("'env:'", "write `env:NAME`"),
        ("'file:'", "write `file:PATH`"),
        ("'${USERS_URL}'", "write `env:NAME` instead of `${NAME}`"),
    ] {
        for (form, column) in [(format!("  shop: {wrong}"), 15), (format!("  shop: {{ secret: {wrong} }}"), 25)] {
            let text = in_user(&format!("{verifier}{form}"));
            assert_eq!(places(&text), [format!("12:{column} secret")], "{form}");
            let errors = parse(&text).unwrap_err();
            let shown = format!("{} {}", errors.listing(), rendered(&errors));
            assert!(shown.contains(hint), "{hint} in {shown}");
            for part in ["hunter", "users.example"] {
                assert!(!shown.contains(part), "{part} in {shown}");
            }
        }
    }
    assert_eq!(user("verifier: VERIFIER\nsecrets: { shop: 12345 }"), ["11:24 wrong_type"]);
    assert_eq!(user("verifier: VERIFIER\nsecrets: { shop: [a] }"), ["11:24 wrong_type"]);
    assert_eq!(user("verifier: VERIFIER\nsecrets: hunter2"), ["11:16 wrong_type"]);
    assert_eq!(user("verifier: VERIFIER\nsecrets: { shop: { user: '', secret: env:A } }"), ["11:32 empty"]);
}

#[test]
fn parts_of_the_wrong_kind_are_named() {
    assert_eq!(places("estate: a\ngateway: 1\n"), ["2:10 wrong_type"]);
    assert_eq!(places("estate: a\ngateway: []\n"), ["2:10 wrong_type"]);
    assert_eq!(places(&file("  users: app\n  databases: { shop: { to: orders } }\n")), ["7:10 wrong_type"]);
    assert_eq!(places(&file("  users:\n  databases: { shop: orders }\n")), ["8:22 wrong_type"]);
    assert_eq!(places(&file("  users:\n  databases: { '': { to: orders } }\n")), ["8:3 empty", "8:16 empty"]);
    assert_eq!(setting("tls: server.crt"), ["7:8 wrong_type"]);
    assert_eq!(setting("tls: { certificate: '', key: b }"), ["7:23 empty"]);
}
