//! Whether the parenthesis behind a name makes it a call, and of what.

use crate::lexer::Kind;
use crate::statement::{Catalog, Command, Name, Quoted, Statement};
use crate::words::Word;

/// What a parenthesis behind a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// No function is called, or one that leaves the session alone.
    Harmless,
    /// A function with a rule of its own is called; it is known to be the built-in one or it is not.
    Special(Word, Catalog),
    /// Nobody knows what is called.
    Unknown,
}

/// Judges the name before a parenthesis.
pub(crate) fn judge(statement: &Statement) -> Call {
    let name = &statement.name;
    if is_no_call(statement, name) {
        return Call::Harmless;
    }
    let built_in = name.parts == 1 || name.parts == 2 && name.in_catalog == Catalog::Yes;
    match name.meaning.word {
        word @ (Word::SetConfig | Word::SequenceState | Word::AdvisoryLock | Word::Unseen) => {
            Call::Special(word, if built_in { Catalog::Yes } else { Catalog::No })
        }
        _ if built_in && name.meaning.is_harmless() => Call::Harmless,
        _ => Call::Unknown,
    }
}

/// Places where the grammar has no call.
fn is_no_call(statement: &Statement, name: &Name) -> bool {
    let keyword = name.parts == 1 && name.quoted == Quoted::No;
    if keyword && name.meaning.is_reserved() || statement.tokens == 1 {
        return true;
    }
    let before = name.before_meaning.word;
    // Behind these words stands the name of a relation, a statement, a type, or an alias.
    let names_a_thing = matches!(
        before,
        Word::As
            | Word::Into
            | Word::Table
            | Word::Exists
            | Word::References
            | Word::With
            | Word::Recursive
            | Word::Copy
            | Word::Analyze
            | Word::Vacuum
            | Word::Execute
            | Word::Prepare
    );
    if names_a_thing || name.before == Kind::Cast || name.before == Kind::Quoted {
        return true;
    }
    // An alias with its columns, `OVER (..)`, `FILTER (..)`, `INCLUDE (..)`.
    if name.before == Kind::Close && !statement.call_after_group {
        return true;
    }
    let before_is_a_name = name.before == Kind::Word && !name.before_meaning.is_keyword();
    if keyword && is_syntax(statement, name, before_is_a_name) {
        return true;
    }
    match statement.command {
        // The table, or the index's method; expressions stand inside.
        Command::Index => statement.groups == 0,
        // A column's type with its modifiers.
        Command::Relation => before_is_a_name || before == Word::View,
        _ => false,
    }
}

/// Keywords that may as well be the names of functions, judged by what stands before them.
fn is_syntax(statement: &Statement, name: &Name, before_is_a_name: bool) -> bool {
    let before = name.before_meaning.word;
    let behind_operand =
        before_is_a_name || matches!(name.before, Kind::Text | Kind::Number | Kind::Parameter | Kind::CloseBracket);
    match name.meaning.word {
        Word::Ilike | Word::Operator => behind_operand,
        Word::Join => {
            behind_operand
                || matches!(
                    before,
                    Word::Cross | Word::Inner | Word::Left | Word::Right | Word::Full | Word::Outer | Word::Natural
                )
        }
        Word::Set => behind_operand || before == Word::Update,
        Word::By => matches!(before, Word::Group | Word::Order | Word::Partition),
        Word::Cube | Word::Rollup => before == Word::GroupBy,
        Word::Sets => before == Word::Grouping,
        // The columns of a new row in `MERGE`.
        Word::Insert => before == Word::Then && !statement.cases,
        Word::Stdin | Word::Stdout => {
            statement.command == Command::Copy && statement.depth == 0 && matches!(before, Word::From | Word::To)
        }
        Word::Key => matches!(before, Word::Primary | Word::Foreign),
        Word::Zone => before == Word::Time,
        Word::Varying => matches!(before, Word::Char | Word::Bit),
        Word::Conflict => before == Word::On && statement.inserts,
        _ => false,
    }
}
