//! `SET` and `RESET`: whether they outlast the transaction, and what the server calls the setting.

use std::borrow::Cow;

use crate::identifier;
use crate::lexer::{Kind, Lexer, Token};
use crate::words::{Case, Meaning, Word, meaning};

/// What a `SET` or `RESET` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It ends with the transaction.
    Local,
    /// Settings of known names.
    Names(Vec<Cow<'static, str>>),
    /// All of them.
    Every,
    /// One whose name cannot be read.
    Unreadable,
}

/// What the word means, if the token is one.
fn word(lexer: &Lexer<'_>, token: Token) -> Word {
    if token.kind == Kind::Word { meaning(lexer.bytes(token), Case::Any).word } else { Word::Other }
}

/// Whether a token shows that the word before it is the name of a setting, or begins one.
fn shows_name(lexer: &Lexer<'_>, token: Token) -> bool {
    matches!(token.kind, Kind::Dot | Kind::Equals) || word(lexer, token) == Word::To
}

/// Reads behind `SET`.
pub(crate) fn set(mut lexer: Lexer<'_>) -> Change {
    let mut first = lexer.next();
    let mut after = lexer;
    let second = after.next();
    // `SET local.x = 1` sets a custom setting for the session.
    if shows_name(&lexer, second) {
        return named(lexer, first);
    }
    match word(&lexer, first) {
        Word::Local | Word::Constraints | Word::Transaction => return Change::Local,
        Word::Session if !matches!(word(&lexer, second), Word::Authorization | Word::Characteristics) => {
            (first, lexer) = (second, after);
        }
        _ => {}
    }
    if shows_name(&lexer, {
        after = lexer;
        after.next()
    }) {
        return named(lexer, first);
    }
    special(lexer, first)
}

/// Reads behind `RESET`, which knows fewer spellings of the standard than `SET`.
pub(crate) fn reset(mut lexer: Lexer<'_>) -> Change {
    let first = lexer.next();
    let mut after = lexer;
    let second = after.next();
    match (word(&lexer, first), word(&lexer, second)) {
        (Word::All, _) if second.kind != Kind::Dot => Change::Every,
        (Word::Time, Word::Zone) | (Word::Session, Word::Authorization) | (Word::Transaction, Word::Isolation) => {
            special(lexer, first)
        }
        _ => named(lexer, first),
    }
}

/// Spellings of the standard, and a plain name where it is none of them.
fn special(lexer: Lexer<'_>, first: Token) -> Change {
    let mut after = lexer;
    let second = after.next();
    let names: &[&'static str] = match (word(&lexer, first), word(&lexer, second)) {
        _ if second.kind == Kind::Dot => return named(lexer, first),
        (Word::Time, Word::Zone) => &["timezone"],
        (Word::Names, _) => &["client_encoding"],
        (Word::Schema, _) => &["search_path"],
        (Word::Role, _) => &["role"],
        (Word::Session, Word::Authorization) => &["session_authorization", "role"],
        (Word::Session, Word::Characteristics) => {
            &["default_transaction_isolation", "default_transaction_read_only", "default_transaction_deferrable"]
        }
        (Word::Transaction, Word::Isolation) => &["transaction_isolation"],
        (Word::Transaction, _) => &["transaction_isolation", "transaction_read_only", "transaction_deferrable"],
        (Word::Xml, _) => &["xmloption"],
        _ => return named(lexer, first),
    };
    Change::Names(names.iter().copied().map(Cow::Borrowed).collect())
}

/// A name with dots in it; the lexer stands behind its first part.
fn named(lexer: Lexer<'_>, first: Token) -> Change {
    match dotted(lexer, first) {
        Some(name) => Change::Names(vec![Cow::Owned(name)]),
        None => Change::Unreadable,
    }
}

/// The name that begins with the token, lower-case as settings are compared.
pub(crate) fn dotted(mut lexer: Lexer<'_>, first: Token) -> Option<String> {
    let mut name = identifier::name(&lexer, first)?;
    loop {
        let mut after = lexer;
        if after.next().kind != Kind::Dot {
            name.make_ascii_lowercase();
            return Some(name);
        }
        let part = after.next();
        name.push('.');
        name.push_str(&identifier::name(&after, part)?);
        lexer = after;
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
    }
}

/// Names longer than this are taken for unknown ones.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// What is known of the token as a name of a function, in quotes or without.
pub(crate) fn function(lexer: &Lexer<'_>, token: Token) -> Meaning {
    match token.kind {
        Kind::Word => meaning(lexer.bytes(token), Case::Any),
        Kind::Quoted => identifier::unquoted(lexer.bytes(token), token.form)
            .map_or(Meaning::NONE, |name| meaning(&name, Case::Exact).quoted()),
        _ => Meaning::NONE,
    }
}
