//! How a client's bytes are to be read: the two settings of a session without which nobody can say where a string ends.

/// What a backslash is in `'...'`, as `standard_conforming_strings` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainStrings {
    /// A character like any other: the setting is on.
    #[default]
    Standard,
    /// An escape, as in `E'...'`: the setting is off.
    Backslashes,
}

/// Whether a byte below 128 is always the ASCII character, as `client_encoding` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextEncoding {
    /// Always: UTF8, EUC and every encoding of one byte a character.
    #[default]
    AsciiSafe,
    /// It may be the second byte of a character and look like a quote: SJIS, BIG5, GBK, GB18030, UHC, JOHAB,
    /// `SHIFT_JIS_2004`.
    AsciiUnsafe,
}

/// How the client's bytes are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What a backslash is in a plain string.
    pub plain_strings: PlainStrings,
    /// What a byte below 128 is.
    pub encoding: TextEncoding,
}
