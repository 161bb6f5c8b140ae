//! Text that hides: quotes, comments and escapes, read as the server reads them.

use atalaya_sql::{PlainStrings, Reading, TextEncoding, session_effects};

use crate::{BACKSLASHES, STANDARD, compare, effects, told};

#[test]
fn quotes_and_comments_end_where_the_server_ends_them() {
    compare(
        STANDARD,
        &[
            ("SELECT $$a$$; SET x = 1", "settings [x]"),
            ("SELECT $a$ $$ $b$ $a$; SET x = 1", "settings [x]"),
            ("SELECT $a$ $A$; SET x = 1 $a$", ""),
            ("SELECT $a$b$a$; SET x = 1", "settings [x]"),
            ("SELECT $a$ $b$a$; SET x = 1", "settings [x]"),
            ("SELECT $é$ $$ $é$; SET x = 1", "settings [x]"),
            ("SELECT a$$; SET x = 1; SELECT a$$", "settings [x]"),
            ("SELECT 1$$; SET x = 1 $$", ""),
            ("SELECT $1$$; SET x = 1 $$", ""),
            ("SELECT $1a$; SET x = 1; SELECT $1a$", "settings [x]"),
            ("SELECT 'a\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT 'a\\'; SET ROLE x --'", "settings [role]"),
            ("SELECT E'a\\'; SET x = 1 --'", ""),
            ("SELECT e'\\\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT E'a'''; SET x = 1 --'", "settings [x]"),
            ("SELECT 'a''; SET x = 1 --'", ""),
            ("SELECT 'a' '; SET x = 1 --'", ""),
            ("SELECT E'a'\n'\\'; SET x = 1 --'", ""),
            ("SELECT E'a' -- c\n'\\'; SET x = 1 --'", ""),
            ("SELECT E'a'\n-- c\n'\\'; SET x = 1 --'", ""),
            ("SELECT E'a' '\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT E'a' /* \n */ '\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT 'a'\nE'\\'; SET x = 1 --'", ""),
            ("SELECT U&'\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT U&'a''; SET x = 1 --'", ""),
            ("SELECT U & '\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT b'01''; SET x = 1 --'", ""),
            ("SELECT b'\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT N'\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT ae'\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT 1e'\\'; SET x = 1 --'", ""),
            ("SELECT 0x'\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT \"a\\\"; SET x = 1 --\"", "settings [x]"),
            ("SELECT \"a\"\"; SET x = 1 --\"", ""),
            ("SELECT U&\"a\\\"; SET x = 1 --\"", "settings unknown [x]"),
            ("SELECT \"a'\"; SET x = 1 --'", "settings [x]"),
            ("SELECT 1 -- ' \n; SET x = 1 --'", "settings [x]"),
            ("SELECT 1 -- ' \r; SET x = 1 --'", "settings [x]"),
            ("SELECT 1 /* ' */; SET x = 1 --'", "settings [x]"),
            ("SELECT 1 /* /* */; SET x = 1 */", ""),
            ("SELECT 1 /* /* */ */; LISTEN a", "objects"),
            ("SELECT 1 /*/* */ */; LISTEN a", "objects"),
            ("SELECT 1 /*/ */; LISTEN a", "objects"),
            ("SELECT 1 /* //* */ */; LISTEN a", "objects"),
            ("SELECT 1 /***/; LISTEN a", "objects"),
            ("SELECT 1 /* **/; LISTEN a", "objects"),
            ("SELECT 1 /* -- */; LISTEN a", "objects"),
            ("SELECT 1 /* ' \" $$ */; LISTEN a", "objects"),
            ("SELECT 1 @-- ; SET x = 1\n 2", ""),
            ("SELECT 1 +/* ; SET x = 1 */ 2", ""),
            ("SELECT 1 - - 2; SET x = 1", "settings [x]"),
            ("SELECT 1 */* ; SET x = 1 */ 2", ""),
            ("SELECT 1 */*/ ; SET x = 1 */ 2", ""),
            ("SELECT '--'; SET x = 1", "settings [x]"),
            ("SELECT '/*'; SET x = 1; SELECT '*/'", "settings [x]"),
            ("SELECT 1;\tSET\u{b}x\u{c}= 1", "settings [x]"),
            ("SELECT 1;\u{a0}SET x = 1", "unknown"),
        ],
    );
}

#[test]
fn a_backslash_escapes_a_quote_where_plain_strings_have_escapes() {
    compare(
        BACKSLASHES,
        &[
            ("SELECT 'a\\'; SET x = 1 --'", ""),
            ("SELECT 'a\\\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT 'a'\n'\\'; SET x = 1 --'", ""),
            ("SELECT E'a\\'; SET x = 1 --'", ""),
            ("SELECT N'a\\'; SET x = 1 --'", ""),
            ("SELECT B'\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT B'01''\\'; SET x = 1 --'", ""),
            ("SELECT X'01'\n'\\'; SET x = 1 --'", "settings [x]"),
            ("SELECT $$\\$$; SET x = 1", "settings [x]"),
            ("SELECT \"a\\\"; SET x = 1 --\"", "settings [x]"),
            ("SELECT U&'\\'; SET x = 1 --'", "settings unknown [x]"),
        ],
    );
}

#[test]
fn what_has_no_end_is_unknown() {
    for sql in [
        "SELECT 'a",
        "SELECT E'a\\'",
        "SELECT \"a",
        "SELECT $$a",
        "SELECT $a$ $b$",
        "SELECT 1 /* a",
        "SELECT 1 /* /* */",
        "SELECT U&'",
        "SELECT U&\"",
        "SELECT '",
        "SELECT E'\\",
        "SELECT 'a'\n'",
    ] {
        assert_eq!(told(&effects(sql)), "unknown", "{sql}");
    }
}

#[test]
fn a_byte_zero_is_unknown() {
    assert_eq!(told(&effects("SELECT 1\0")), "unknown");
    assert_eq!(told(&effects("SELECT 1\0; SET x = 1")), "settings unknown [x]");
    assert_eq!(told(&effects("\0")), "unknown");
}

#[test]
fn bytes_that_may_be_half_a_character_are_unknown() {
    let unsafe_ascii = Reading { plain_strings: PlainStrings::Standard, encoding: TextEncoding::AsciiUnsafe };
    assert!(session_effects(b"SELECT 'a'", unsafe_ascii).is_plain());
    // In SJIS the second byte of a character may be a backslash, in BIG5 and GBK as well.
    assert!(session_effects(b"SELECT '\x95\x5c'", unsafe_ascii).unknown);
    assert!(session_effects(b"SELECT '\x95\x5c'", STANDARD).is_plain());
}

#[test]
fn other_bytes_than_utf8_are_letters() {
    assert!(session_effects(b"SELECT '\xff\xfe', \xe9t\xe9 FROM \"\xe8\"", STANDARD).is_plain());
    assert!(session_effects(b"SELECT f\xff(1)", STANDARD).unknown);
    assert!(session_effects(b"SELECT \xffset_config(1)", STANDARD).unknown);
    let found = session_effects(b"SET \xff.b = 1", STANDARD);
    assert!(found.settings && found.setting_names.is_empty());
}
