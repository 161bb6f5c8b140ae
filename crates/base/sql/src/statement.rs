//! What is remembered of the statement that is being read.

use crate::lexer::Kind;
use crate::words::{Meaning, Word};

/// What the first words have told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Command {
    /// Nothing was read yet.
    #[default]
    Unread,
    /// Nothing more to know.
    Told,
    /// `EXPLAIN`: the statement that it explains comes.
    Explain,
    /// `EXPLAIN (`: its options are being read.
    ExplainOptions,
    /// `PREPARE name`: what is prepared comes behind `AS`.
    Prepare,
    /// `COPY`.
    Copy,
    /// `DECLARE`.
    Declare,
    /// `CREATE` or `ALTER`: what, comes.
    Define,
    /// `CREATE INDEX`.
    Index,
    /// `CREATE` or `ALTER` of anything else that is understood.
    Relation,
}

/// A name with its qualifiers, which ends with the token before the one that is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    /// What is known of its last part.
    pub(crate) meaning: Meaning,
    pub(crate) quoted: Quoted,
    pub(crate) parts: u32,
    /// The first part is `pg_catalog`.
    pub(crate) in_catalog: Catalog,
    /// What stands before its first part.
    pub(crate) before: Kind,
    /// What is known of the word before its first part, where that is a word.
    pub(crate) before_meaning: Meaning,
}

/// Whether a name stands in double quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoted {
    No,
    Yes,
}

/// Whether a name begins with the schema of what is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Catalog {
    No,
    Yes,
}

impl Name {
    pub(crate) const NONE: Self = Self {
        meaning: Meaning::NONE,
        quoted: Quoted::No,
        parts: 0,
        in_catalog: Catalog::No,
        before: Kind::End,
        before_meaning: Meaning::NONE,
    };
}

/// What is remembered of the statement that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) command: Command,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) tokens: usize,
    pub(crate) depth: u32,
    /// Parentheses that were opened where none was open.
    pub(crate) groups: u32,
    /// The token before the one that is being read.
    pub(crate) previous: Kind,
    /// Of the token before, where it is a word.
    pub(crate) previous_meaning: Meaning,
    /// Of the name that ends with the token before, where it is a word or a quoted one.
    pub(crate) name: Name,
    /// Uses of prepared statements before this one.
    pub(crate) prepared_before: usize,
    /// `ON CONFLICT` less `DO`: they come in pairs, unless `conflict` is somebody's function.
    pub(crate) conflicts: i64,
    /// `CASE` was met: behind `THEN` anything may stand.
    pub(crate) cases: bool,
    pub(crate) inserts: bool,
    pub(crate) writes: bool,
    pub(crate) names_settings: bool,
    /// `DISTINCT ON` or `OPERATOR(` was met: behind their parenthesis a call may stand.
    pub(crate) call_after_group: bool,
    /// `AS` of `CREATE .. AS` was met.
    pub(crate) body: bool,
}

impl Statement {
    pub(crate) fn new(prepared_before: usize) -> Self {
        Self {
            command: Command::Unread,
            start: 0,
            end: 0,
            tokens: 0,
            depth: 0,
            groups: 0,
            previous: Kind::End,
            previous_meaning: Meaning::NONE,
            name: Name::NONE,
            prepared_before,
            conflicts: 0,
            cases: false,
            inserts: false,
            writes: false,
            names_settings: false,
            call_after_group: false,
            body: false,
        }
    }

    /// The word before, or [`Word::Other`].
    pub(crate) fn previous_word(&self) -> Word {
        self.previous_meaning.word
    }
}
