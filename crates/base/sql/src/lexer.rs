//! Tokens, as Postgres's lexer cuts them, from the bytes of a client.
//!
//! Where versions differ, the text is an error for those that cut it otherwise. Nothing is decoded, nothing allocated, and
//! no byte is read twice, except by a caller that looks ahead with a copy.

use memchr::{memchr2, memchr2_iter};

use crate::quoted::{self, Form};
use crate::reading::{PlainStrings, Reading};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text is over.
    End,
    /// `;`
    Semicolon,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `]`
    CloseBracket,
    /// `.`
    Dot,
    /// `,`
    Comma,
    /// `::`
    Cast,
    /// A keyword or an identifier without quotes.
    Word,
    /// An identifier in double quotes.
    Quoted,
    /// A string of any kind.
    Text,
    /// Digits.
    Number,
    /// `$1`
    Parameter,
    /// `=`
    Equals,
    /// Any other single byte, operators among them.
    Other,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// How it is quoted, where it is.
    pub(crate) form: Form,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The reader of tokens; a copy of it looks ahead.
#[derive(Clone, Copy)]
pub(crate) struct Lexer<'a> {
    pub(crate) sql: &'a [u8],
    at: usize,
    plain_strings: PlainStrings,
    /// Something could not be read for certain: a quote or comment without end, a byte zero.
    pub(crate) doubt: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(sql: &'a [u8], reading: Reading) -> Self {
        Self { sql, at: 0, plain_strings: reading.plain_strings, doubt: false }
    }

    /// The bytes of a token.
    pub(crate) fn bytes(&self, token: Token) -> &'a [u8] {
        self.sql.get(token.start..token.end).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.sql.get(self.at + ahead).copied()
    }

    /// The next token; at the end [`Kind::End`], again and again.
    #[inline(never)]
    pub(crate) fn next(&mut self) -> Token {
        self.read()
    }

    /// As [`Self::next`], for the one loop that reads everything: there it is made part of it.
    #[inline(always)]
    pub(crate) fn read(&mut self) -> Token {
        self.skip_space();
        let start = self.at;
        let mut form = Form::Plain;
        let kind = match self.peek(0) {
            None => Kind::End,
            Some(byte) if starts_word(byte) => {
                self.at += word_length(self.sql.get(start..).unwrap_or_default());
                let prefixed = if self.at - start == 1 { self.prefixed(byte) } else { None };
                match prefixed {
                    Some((kind, quoted)) => {
                        form = quoted;
                        kind
                    }
                    None => Kind::Word,
                }
            }
            Some(byte) => {
                self.at += 1;
                match byte {
                    b'(' => Kind::Open,
                    b')' => Kind::Close,
                    b']' => Kind::CloseBracket,
                    b',' => Kind::Comma,
                    b';' => Kind::Semicolon,
                    b'.' => Kind::Dot,
                    b'=' => Kind::Equals,
                    b'0'..=b'9' => {
                        // Digits alone: what may follow them (`e5`, `x1F`, `_000`) is read as a word, which means
                        // nothing there, and a quote behind it is found.
                        self.skip_digits();
                        Kind::Number
                    }
                    b'\'' => {
                        form = match self.plain_strings {
                            PlainStrings::Standard => Form::Plain,
                            PlainStrings::Backslashes => Form::Escapes,
                        };
                        self.quote(form)
                    }
                    b'"' => self.identifier(),
                    b'$' => {
                        let (kind, quoted) = self.dollar();
                        form = quoted;
                        kind
                    }
                    b':' if self.peek(0) == Some(b':') => {
                        self.at += 1;
                        Kind::Cast
                    }
                    0 => {
                        self.doubt = true;
                        Kind::Other
                    }
                    _ => Kind::Other,
                }
            }
        };
        Token { kind, form, start, end: self.at }
    }

    /// Whatever stands behind a word of one letter that changes the meaning of the quote.
    fn prefixed(&mut self, letter: u8) -> Option<(Kind, Form)> {
        let form = match (letter, self.peek(0), self.peek(1)) {
            (b'e' | b'E', Some(b'\''), _) => Form::Escapes,
            (b'b' | b'B' | b'x' | b'X', Some(b'\''), _) => Form::Bits,
            (b'u' | b'U', Some(b'&'), Some(b'\'')) => {
                // The server refuses these while backslashes are escapes.
                self.doubt |= self.plain_strings == PlainStrings::Backslashes;
                self.at += 1;
                Form::Unicode
            }
            (b'u' | b'U', Some(b'&'), Some(b'"')) => {
                self.at += 2;
                return Some((self.identifier(), Form::Unicode));
            }
            _ => return None,
        };
        self.at += 1;
        Some((self.quote(form), form))
    }

    /// From behind the quote to behind the last quote of the string and of those that continue it.
    fn quote(&mut self, form: Form) -> Kind {
        match quoted::string_end(self.sql, self.at, form) {
            Some(end) => self.at = end,
            None => self.give_up(),
        }
        Kind::Text
    }

    fn identifier(&mut self) -> Kind {
        match quoted::identifier_end(self.sql, self.at) {
            Some(end) => self.at = end,
            None => self.give_up(),
        }
        Kind::Quoted
    }

    fn dollar(&mut self) -> (Kind, Form) {
        if self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.skip_digits();
            return (Kind::Parameter, Form::Plain);
        }
        let Some(tag) = quoted::dollar_tag(self.sql, self.at) else {
            return (Kind::Other, Form::Plain);
        };
        match quoted::dollar_end(self.sql, self.at, tag) {
            Some(end) => self.at = end,
            None => self.give_up(),
        }
        (Kind::Text, Form::Dollar)
    }

    /// What was opened has no end: nothing behind it can be read.
    fn give_up(&mut self) {
        self.doubt = true;
        self.at = self.sql.len();
    }

    fn skip_digits(&mut self) {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    #[inline]
    fn skip_space(&mut self) {
        loop {
            match self.peek(0) {
                Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) => self.at += 1,
                Some(b'-') if self.peek(1) == Some(b'-') => self.skip_line(),
                Some(b'/') if self.peek(1) == Some(b'*') => self.skip_block(),
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = self.sql.get(self.at..).unwrap_or_default();
        self.at += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
    }

    /// A comment, which may hold others.
    fn skip_block(&mut self) {
        let from = self.at + 2;
        let rest = self.sql.get(from..).unwrap_or_default();
        let mut depth = 1_usize;
        let mut used = 0;
        for found in memchr2_iter(b'*', b'/', rest) {
            if found < used {
                continue;
            }
            match rest.get(found..found + 2) {
                Some(b"*/") => {
                    depth -= 1;
                    used = found + 2;
                    if depth == 0 {
                        self.at = from + used;
                        return;
                    }
                }
                Some(b"/*") => {
                    depth += 1;
                    used = found + 2;
                }
                _ => {}
            }
        }
        self.give_up();
    }
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

#[inline]
fn word_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| !goes_on_in_word(*byte)).unwrap_or(rest.len())
}

#[inline]
fn goes_on_in_word(byte: u8) -> bool {
    GOES_ON.get(usize::from(byte)).copied().unwrap_or_default()
}

/// One look instead of five comparisons: most bytes of a text are letters.
#[expect(clippy::indexing_slicing, reason = "evaluated when the crate is compiled, where it cannot fail unnoticed")]
static GOES_ON: [bool; 256] = {
    let mut goes_on = [false; 256];
    let mut byte = 0;
    while byte < goes_on.len() {
        goes_on[byte] = matches!(byte, 0x24 | 0x30..=0x39 | 0x41..=0x5a | 0x5f | 0x61..=0x7a | 0x80..);
        byte += 1;
    }
    goes_on
};
