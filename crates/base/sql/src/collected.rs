//! A second reading of texts that may change settings unseen: every name that a custom setting could have.
//!
//! Custom settings stand in no list of the server, so somebody has to ask for them by name. This never says that a name
//! is a setting, only that it may be one.

use crate::effects::SETTING_NAMES_MAX;
use crate::lexer::{Kind, Lexer, Token};
use crate::quoted;
use crate::reading::Reading;
use crate::setting;
use crate::words::Word;

/// Strings in strings in strings: `DO` with `EXECUTE` inside, and one more.
const DEPTH_MAX: usize = 3;

/// What the second reading found besides names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Names are missing: too many, too long, or made while the statement runs.
    pub(crate) incomplete: bool,
    /// The seed of random numbers is set by its name.
    pub(crate) seed: bool,
}

/// Adds a name, unless it is there.
pub(crate) fn add(names: &mut Vec<String>, name: &str, found: &mut Found) {
    found.seed |= name == "seed";
    if names.iter().any(|known| known == name) {
        return;
    }
    if names.len() < SETTING_NAMES_MAX {
        names.push(name.to_owned());
    } else {
        found.incomplete = true;
    }
}

/// Reads the text again for names.
pub(crate) fn collect(sql: &[u8], reading: Reading, names: &mut Vec<String>) -> Found {
    let mut found = Found::default();
    nested(sql, reading, names, &mut found, 0);
    found
}

fn nested(sql: &[u8], reading: Reading, names: &mut Vec<String>, found: &mut Found, depth: usize) {
    let mut lexer = Lexer::new(sql, reading);
    loop {
        let token = lexer.next();
        match token.kind {
            Kind::End => return,
            Kind::Text => {
                let content = quoted::content(lexer.bytes(token), token.form);
                if let Some(name) = custom_name(&content) {
                    add(names, &name, found);
                } else if depth < DEPTH_MAX && memchr::memchr(b'.', &content).is_some() {
                    nested(&content, reading, names, found, depth + 1);
                }
            }
            Kind::Word | Kind::Quoted => match setting::function(&lexer, token).word {
                Word::SetConfig => config(lexer, names, found),
                Word::Set | Word::Reset if depth > 0 => assigned(lexer, names, found),
                _ => {}
            },
            _ => {}
        }
    }
}

/// `set_config('name', ..`: its name whatever it looks like.
fn config(mut lexer: Lexer<'_>, names: &mut Vec<String>, found: &mut Found) {
    if lexer.next().kind != Kind::Open {
        return;
    }
    let name = lexer.next();
    let text = quoted::content(lexer.bytes(name), name.form);
    let whole = name.kind == Kind::Text && text.len() <= setting::NAME_BYTES_MAX;
    match std::str::from_utf8(&text) {
        Ok(text) if whole && lexer.next().kind == Kind::Comma => add(names, &text.to_ascii_lowercase(), found),
        _ => found.incomplete = true,
    }
}

/// `SET [LOCAL | SESSION] a.b` in a body or in a string that is executed.
fn assigned(mut lexer: Lexer<'_>, names: &mut Vec<String>, found: &mut Found) {
    let mut first: Token = lexer.next();
    if matches!(setting::function(&lexer, first).word, Word::Local | Word::Session) {
        let mut after = lexer;
        let second = after.next();
        if second.kind != Kind::Dot {
            (first, lexer) = (second, after);
        }
    }
    if let Some(name) = setting::dotted(lexer, first)
        && name.contains('.')
    {
        add(names, &name, found);
    }
}

/// The text as a setting's name, if it looks like one of an application. Wider than what servers from 14 on accept.
fn custom_name(text: &[u8]) -> Option<String> {
    let fits =
        |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80 || matches!(byte, b'_' | b'$' | b'-' | b':' | b'.');
    let [first, .., last] = text else {
        return None;
    };
    let begins = first.is_ascii_alphabetic() || *first == b'_' || *first >= 0x80;
    if !begins
        || *last == b'.'
        || text.len() > setting::NAME_BYTES_MAX
        || !text.contains(&b'.')
        || !text.iter().all(fits)
    {
        return None;
    }
    Some(std::str::from_utf8(text).ok()?.to_ascii_lowercase())
}
