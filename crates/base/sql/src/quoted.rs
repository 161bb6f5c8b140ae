//! Where quotes end, and what stands between them.
//!
//! A mistake here would let text pass for a string, so each form is told apart as `scan.l` of Postgres tells it.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// How something is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `'..'` or `".."`, where a doubled quote is the only escape.
    Plain,
    /// `E'..'`, or a plain string while those have backslashes.
    Escapes,
    /// `U&'..'` or `U&".."`: no escape hides a quote.
    Unicode,
    /// `B'..'` or `X'..'`: not even a doubled quote goes on.
    Bits,
    /// `$tag$..$tag$`.
    Dollar,
}

fn after(sql: &[u8], at: usize) -> &[u8] {
    sql.get(at..).unwrap_or_default()
}

/// The end of the string whose content begins at `at`, or none.
pub(crate) fn string_end(sql: &[u8], mut at: usize, form: Form) -> Option<usize> {
    loop {
        let rest = after(sql, at);
        let found = match form {
            Form::Escapes => memchr2(b'\'', b'\\', rest)?,
            _ => memchr(b'\'', rest)?,
        };
        at += found + 1;
        match sql.get(at - 1) {
            Some(b'\\') => at += 1,
            _ if form != Form::Bits && sql.get(at) == Some(&b'\'') => at += 1,
            _ => match continuation(sql, at) {
                Some(next) => at = next,
                None => return Some(at),
            },
        }
    }
}

/// Behind the quote that continues a string that ended before `at`: white space with a line's end in it, and comments of
/// a line, may stand between.
fn continuation(sql: &[u8], mut at: usize) -> Option<usize> {
    let mut line_ended = false;
    loop {
        match sql.get(at)? {
            b'\n' | b'\r' => line_ended = true,
            b' ' | b'\t' | 0x0b | 0x0c => {}
            b'-' if sql.get(at + 1) == Some(&b'-') => {
                at += memchr2(b'\n', b'\r', after(sql, at))?;
                continue;
            }
            b'\'' if line_ended => return Some(at + 1),
            _ => return None,
        }
        at += 1;
    }
}

/// The end of the identifier whose content begins at `at`, or none.
pub(crate) fn identifier_end(sql: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr(b'"', after(sql, at))? + 1;
        if sql.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// The length of the delimiter whose first `$` stands before `at`, or none if it is none.
pub(crate) fn dollar_tag(sql: &[u8], at: usize) -> Option<usize> {
    let rest = after(sql, at);
    let length = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80))?;
    let fits = rest.first().is_some_and(|byte| !byte.is_ascii_digit()) && rest.get(length) == Some(&b'$');
    fits.then_some(length + 2)
}

/// Behind the delimiter that closes the one of `tag` bytes whose first `$` stands before `at`.
pub(crate) fn dollar_end(sql: &[u8], at: usize, tag: usize) -> Option<usize> {
    let name = sql.get(at..at + tag - 1)?;
    let mut from = at + tag - 1;
    loop {
        from += memchr(b'$', after(sql, from))? + 1;
        if after(sql, from).starts_with(name) {
            return Some(from + name.len());
        }
    }
}

/// What stands in a string token, its quotes and escapes taken away. For names that are looked for, not for values: an
/// escape that cannot be read stays as it is.
pub(crate) fn content(bytes: &[u8], form: Form) -> Cow<'_, [u8]> {
    if form == Form::Dollar {
        let tag = dollar_tag(bytes, 1).unwrap_or_default();
        return Cow::Borrowed(bytes.get(tag..bytes.len().saturating_sub(tag)).unwrap_or_default());
    }
    let from = memchr(b'\'', bytes).map_or(0, |quote| quote + 1);
    let inner = bytes.get(from..bytes.len().saturating_sub(1)).unwrap_or_default();
    let plain = match form {
        Form::Plain | Form::Bits => memchr(b'\'', inner).is_none(),
        _ => memchr2(b'\'', b'\\', inner).is_none(),
    };
    if plain { Cow::Borrowed(inner) } else { Cow::Owned(decoded(inner, form)) }
}

fn decoded(inner: &[u8], form: Form) -> Vec<u8> {
    let mut text = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        at += 1;
        match byte {
            b'\'' if inner.get(at) == Some(&b'\'') => {
                text.push(b'\'');
                at += 1;
            }
            // The string goes on behind a line's end.
            b'\'' => at = continuation(inner, at).unwrap_or(inner.len()),
            b'\\' if matches!(form, Form::Escapes | Form::Unicode) => at = escape(inner, at, form, &mut text),
            _ => text.push(*byte),
        }
    }
    text
}

/// Writes what the escape behind the backslash at `at - 1` means; returns where it ends.
fn escape(inner: &[u8], at: usize, form: Form, text: &mut Vec<u8>) -> usize {
    let rest = after(inner, at);
    let (value, length) = match (form, rest) {
        (Form::Unicode, [b'\\', ..]) => (Some(u32::from(b'\\')), 1),
        (Form::Unicode, [b'+', digits @ ..]) => (number(digits, 6, 16), 7),
        (Form::Unicode, digits) => (number(digits, 4, 16), 4),
        (_, [b'u', digits @ ..]) => (number(digits, 4, 16), 5),
        (_, [b'U', digits @ ..]) => (number(digits, 8, 16), 9),
        (_, [b'x', digits @ ..]) => {
            let count = digits.iter().take(2).take_while(|digit| digit.is_ascii_hexdigit()).count();
            (number(digits, count, 16), 1 + count)
        }
        (_, [b'0'..=b'7', ..]) => {
            let count = rest.iter().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
            (number(rest, count, 8), count)
        }
        (_, [b'n' | b't' | b'r' | b'b' | b'f', ..]) => (Some(u32::from(b' ')), 1),
        (_, [byte, ..]) => {
            text.push(*byte);
            return at + 1;
        }
        (_, []) => (None, 0),
    };
    match value.and_then(char::from_u32) {
        Some(letter) => {
            text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            at + length
        }
        None => {
            text.push(b'\\');
            at
        }
    }
}

/// A number of exactly so many digits.
pub(crate) fn number(digits: &[u8], count: usize, radix: u32) -> Option<u32> {
    let digits = digits.get(..count).filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}
