//! Any bytes at all, and the lengths at which a careless reader would stop to be linear or run out of stack.

use atalaya_sql::{PlainStrings, Reading, SETTING_NAMES_MAX, TextEncoding, session_effects};
use proptest::prelude::*;

use crate::{STANDARD, effects};

/// Pieces that mean something to a lexer, so that random text is not only letters.
const PIECES: [&str; 56] = [
    "SELECT ",
    "SET ",
    "RESET ",
    "LOCAL ",
    "set_config",
    "(",
    ")",
    "'",
    "''",
    "\"",
    "\\",
    "$$",
    "$a$",
    "$",
    "--",
    "/*",
    "*/",
    "\n",
    "\r",
    ";",
    ",",
    ".",
    "::",
    "=",
    "E'",
    "U&'",
    "U&\"",
    "B'",
    "\\005f",
    "1",
    "$1",
    "a",
    "a.b",
    " ",
    "é",
    "\0",
    "PREPARE ",
    "EXECUTE ",
    "DEALLOCATE ",
    "ALL",
    "AS ",
    "EXPLAIN ",
    "CREATE ",
    "TABLE ",
    "TEMP ",
    "INDEX ",
    "ON ",
    "CONFLICT ",
    "DO ",
    "WITH ",
    "INTO ",
    "pg_catalog",
    "UESCAPE '!'",
    "[",
    "]",
    "DISCARD ",
];

fn readings() -> impl Strategy<Value = Reading> {
    let strings = prop_oneof![Just(PlainStrings::Standard), Just(PlainStrings::Backslashes)];
    let encodings = prop_oneof![Just(TextEncoding::AsciiSafe), Just(TextEncoding::AsciiUnsafe)];
    (strings, encodings).prop_map(|(plain_strings, encoding)| Reading { plain_strings, encoding })
}

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60).prop_map(|pieces| pieces.concat())
}

fn check(sql: &[u8], reading: Reading) {
    let found = session_effects(sql, reading);
    assert!(found.setting_names.len() <= SETTING_NAMES_MAX);
    for used in &found.prepared {
        assert!(sql.get(used.text.clone()).is_some_and(|text| !text.is_empty()));
        assert!(used.name.len() <= 63);
    }
    assert!(found.statements <= sql.len());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(sql in prop::collection::vec(any::<u8>(), 0..300), reading in readings()) {
        check(&sql, reading);
    }

    #[test]
    fn no_pieces_of_sql_make_it_panic(sql in pieces(), reading in readings()) {
        check(sql.as_bytes(), reading);
    }

    #[test]
    fn what_was_read_whole_hides_nothing_behind_it(sql in pieces()) {
        let found = effects(&sql);
        if !found.unknown {
            let longer = effects(&format!("{sql}\n;SET behind.it = 1"));
            prop_assert!(longer.settings && longer.setting_names.iter().any(|name| name == "behind.it"));
        }
    }

    #[test]
    fn case_and_comments_between_words_change_nothing(at in 0..crate::plain::PLAIN.lines().count()) {
        let sql = crate::plain::PLAIN.lines().nth(at).unwrap();
        if !sql.contains(['\'', '"', '$', '-']) {
            prop_assert!(effects(&sql.to_lowercase()).is_plain());
            prop_assert!(effects(&sql.to_uppercase()).is_plain());
            prop_assert!(effects(&sql.replace(' ', " /* SET x = 1; */ -- LISTEN a;\n ")).is_plain());
        }
    }
}

#[test]
fn long_texts_take_a_time_in_proportion() {
    let million = 1_000_000;
    let repeated = |piece: &str| piece.repeat(million / piece.len());
    let texts = [
        "(".repeat(10_000) + &")".repeat(10_000),
        repeated("("),
        repeated("/*"),
        repeated("$"),
        repeated("$a"),
        format!("SELECT $a${}", repeated("$b")),
        format!("SELECT $aaaaaaaaaaaaaaaa${}", repeated("$aaaaaaaaaaaaaaa")),
        repeated("'"),
        repeated("'a' "),
        repeated("E'\\'"),
        format!("SELECT 'a'{}'b'", repeated("\n")),
        format!("SELECT f({})", repeated("'a'\n-- b\n")),
        repeated("\""),
        repeated("a."),
        repeated("SET a.b = 1;"),
        repeated("SET LOCAL "),
        repeated("set_config("),
        format!("SET {} = 1", repeated("a.")),
        repeated("PREPARE p AS "),
        repeated("EXECUTE p;"),
        repeated("AS EXECUTE "),
        format!("CREATE TABLE {}", repeated("AS EXECUTE ")),
        format!("DO {}", repeated("$a$ 'b.c' ")),
        format!("DO $$ {} $$", repeated("SET a.b = ''c.d''; ")),
        format!("SELECT f({}1)", repeated("'a.b', ")),
        format!("INSERT INTO t (a) VALUES ('{}')", repeated("x")),
        repeated("U&\"\\0061\""),
        repeated("\0"),
    ];
    for text in &texts {
        // What is not in proportion takes minutes for a million bytes.
        check(text.as_bytes(), STANDARD);
    }
}

#[test]
fn ten_thousand_parentheses_are_unknown_and_hide_nothing() {
    let nested = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(effects(&nested).unknown);
    assert!(effects(&format!("{nested}; LISTEN a")).session_objects);
    assert!(effects(&format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500))).is_plain());
}

#[test]
fn a_statement_of_a_megabyte_is_read_to_its_end() {
    let values = "(1, 'abc'), ".repeat(90_000);
    let insert = format!("INSERT INTO t (a, b) VALUES {values}(2, 'x')");
    assert!(insert.len() > 1_000_000 && effects(&insert).is_plain());
    assert!(effects(&format!("{insert}, (3, set_config('a.b', 'x', false))")).settings);
}
