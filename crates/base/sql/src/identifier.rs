//! Names as Postgres takes them: folded, without quotes and escapes, cut.

use std::borrow::Cow;

use crate::lexer::{Kind, Lexer, Token};
use crate::quoted::{self, Form};

/// Bytes of a name that the server keeps.
const NAME_BYTES_MAX: usize = 63;

/// What stands between the double quotes of an identifier, or none when an escape cannot be read.
pub(crate) fn unquoted(bytes: &[u8], form: Form) -> Option<Cow<'_, [u8]>> {
    let from = memchr::memchr(b'"', bytes)? + 1;
    let inner = bytes.get(from..bytes.len().checked_sub(1)?)?;
    let unicode = form == Form::Unicode;
    if !inner.iter().any(|byte| *byte == b'"' || *byte == b'\\' && unicode) {
        return Some(Cow::Borrowed(inner));
    }
    let mut name = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => {
                name.push(b'"');
                rest = rest.get(1..)?;
            }
            b'\\' if unicode => {
                let (value, length) = match rest {
                    [b'\\', ..] => (u32::from(b'\\'), 1),
                    [b'+', digits @ ..] => (quoted::number(digits, 6, 16)?, 7),
                    digits => (quoted::number(digits, 4, 16)?, 4),
                };
                name.extend_from_slice(char::from_u32(value)?.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(length..)?;
            }
            _ => name.push(*byte),
        }
    }
    Some(Cow::Owned(name))
}

/// A name as the server keeps it; none when that cannot be told from the text: another encoding than UTF-8, or letters
/// that only some servers fold.
pub(crate) fn name(lexer: &Lexer<'_>, token: Token) -> Option<String> {
    let bytes = lexer.bytes(token);
    let text = match token.kind {
        Kind::Word if bytes.is_ascii() => String::from_utf8(bytes.to_ascii_lowercase()).ok()?,
        Kind::Quoted => String::from_utf8(unquoted(bytes, token.form)?.into_owned()).ok()?,
        _ => return None,
    };
    Some(cut(text))
}

/// At a character's end, as the server does it.
fn cut(mut text: String) -> String {
    if text.len() > NAME_BYTES_MAX {
        let end = (0..=NAME_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
    }
    text
}
