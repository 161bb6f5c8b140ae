//! How a client's statements are to be read, by the settings that it has.

use atalaya_sql::{PlainStrings, Reading, TextEncoding};

use crate::server::Reported;

/// Encodings in which the second byte of a character may look like a quote or a backslash.
const UNSAFE: [&str; 7] = ["SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB"];

pub(crate) fn reading(reported: &Reported) -> Reading {
    let is = |name: &str, value: &str| reported.get(name).is_some_and(|reported| reported == value);
    let encoding = reported.get("client_encoding").map(String::as_str).unwrap_or_default();
    Reading {
        plain_strings: if is("standard_conforming_strings", "off") {
            PlainStrings::Backslashes
        } else {
            PlainStrings::Standard
        },
        encoding: if UNSAFE.contains(&encoding) { TextEncoding::AsciiUnsafe } else { TextEncoding::AsciiSafe },
    }
}
