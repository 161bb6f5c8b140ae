//! Which tables a command is about.
//!
//! The rules are psql's, since that is where its users learned them: `*` and `?` are wildcards, a dot parts
//! schema from table, names fold to lower case unless they stand in double quotes, and nothing in quotes is
//! a wildcard.

use std::fmt;
use std::str::FromStr;

use atalaya_data::RelationName;

/// Why a text is no pattern. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing, or nothing before or after a dot.
    #[error("the pattern, or a part of it, is empty")]
    Empty,
    /// A `"` without its partner.
    #[error("a double quote is not closed")]
    OpenQuote,
    /// More than one dot.
    #[error("the pattern has more than two parts")]
    TooManyParts,
    /// A character that has to be quoted.
    #[error("the pattern holds a character that has to stand in double quotes")]
    NeedsQuotes,
    /// Longer than two names can be.
    #[error("the pattern is longer than {PATTERN_BYTES_MAX} bytes")]
    TooLong,
}

impl PatternError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "write `schema.table`, `schema.*`, a table's name, or `*` for every table",
            Self::OpenQuote => "close the quote; a `\"` inside a quoted name is written `\"\"`",
            Self::TooManyParts => "a pattern is `schema.table`; a dot inside a name needs double quotes",
            Self::NeedsQuotes => "quote the name as in SQL, for example `\"Odd.Schema\".\"my table\"`",
            Self::TooLong => "names have at most 63 bytes; use several patterns",
        }
    }
}

const PATTERN_BYTES_MAX: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glyph {
    Literal(char),
    AnyRun,
    AnyOne,
}

/// One pattern: `schema.table`, or a table's name alone, which matches it in every schema.
#[derive(Clone, Debug)]
pub struct TablePattern {
    written: String,
    schema: Option<Vec<Glyph>>,
    name: Vec<Glyph>,
}

/// Two patterns are equal when they mean the same, however they are quoted.
impl PartialEq for TablePattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.schema, &self.name) == (&other.schema, &other.name)
    }
}

impl Eq for TablePattern {}

impl TablePattern {
    /// Whether a relation is meant.
    #[must_use]
    pub fn matches(&self, relation: &RelationName) -> bool {
        let schema = self.schema.as_ref().is_none_or(|schema| matches(schema, &relation.schema));
        schema && matches(&self.name, &relation.name)
    }
}

/// As it was written.
impl fmt::Display for TablePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl FromStr for TablePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let mut parts = vec![Vec::new()];
        let mut quoted = false;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '.' && !quoted {
                parts.push(Vec::new());
                continue;
            }
            let Some(part) = parts.last_mut() else {
                return Err(PatternError::Empty);
            };
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => {
                    letters.next();
                    part.push(Glyph::Literal('"'));
                }
                '"' => quoted = !quoted,
                _ if quoted => part.push(Glyph::Literal(letter)),
                // A second `*` adds nothing and would cost time.
                '*' if part.last() == Some(&Glyph::AnyRun) => {}
                '*' => part.push(Glyph::AnyRun),
                '?' => part.push(Glyph::AnyOne),
                _ if letter.is_alphanumeric() || matches!(letter, '_' | '$' | '-') => {
                    part.push(Glyph::Literal(letter.to_ascii_lowercase()));
                }
                _ => return Err(PatternError::NeedsQuotes),
            }
        }
        if quoted {
            return Err(PatternError::OpenQuote);
        }
        if parts.iter().any(Vec::is_empty) {
            return Err(PatternError::Empty);
        }
        let name = parts.pop().ok_or(PatternError::Empty)?;
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(PatternError::TooManyParts);
        }
        Ok(Self { written: text.to_owned(), schema, name })
    }
}

/// Wildcard matching that goes back to the last `*` only: time grows with the product of the lengths at worst.
fn matches(pattern: &[Glyph], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_pattern) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(at) {
        match pattern.get(in_pattern) {
            Some(Glyph::AnyRun) => {
                last_run = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(Glyph::AnyOne) => (at, in_pattern) = (at + 1, in_pattern + 1),
            Some(Glyph::Literal(wanted)) if wanted == letter => (at, in_pattern) = (at + 1, in_pattern + 1),
            _ => {
                let Some((run, taken)) = last_run else {
                    return false;
                };
                last_run = Some((run, taken + 1));
                (at, in_pattern) = (taken + 1, run + 1);
            }
        }
    }
    pattern.get(in_pattern..).unwrap_or_default().iter().all(|glyph| *glyph == Glyph::AnyRun)
}

/// The tables that are in, less those that are out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TablePatterns {
    include: Vec<TablePattern>,
    exclude: Vec<TablePattern>,
}

impl TablePatterns {
    /// Puts both lists together; an empty `include` means every table.
    #[must_use]
    pub fn new(include: Vec<TablePattern>, exclude: Vec<TablePattern>) -> Self {
        Self { include, exclude }
    }

    /// Every table.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Reads both lists.
    ///
    /// # Errors
    /// The first text that is no pattern: its place in `include` followed by `exclude`, and why.
    pub fn parse<Text: AsRef<str>>(include: &[Text], exclude: &[Text]) -> Result<Self, (usize, PatternError)> {
        let read = |list: &[Text], offset: usize| {
            list.iter()
                .enumerate()
                .map(|(index, text)| text.as_ref().parse().map_err(|error| (offset + index, error)))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self { include: read(include, 0)?, exclude: read(exclude, include.len())? })
    }

    /// Whether a relation is in.
    #[must_use]
    pub fn matches(&self, relation: &RelationName) -> bool {
        let included = self.include.is_empty() || self.include.iter().any(|pattern| pattern.matches(relation));
        included && !self.exclude.iter().any(|pattern| pattern.matches(relation))
    }

    /// The patterns of what is in; empty means everything.
    #[must_use]
    pub fn include(&self) -> &[TablePattern] {
        &self.include
    }

    /// The patterns of what is out.
    #[must_use]
    pub fn exclude(&self) -> &[TablePattern] {
        &self.exclude
    }

    /// The patterns, of either list, that match none of these relations: most likely slips.
    pub fn unmatched<'own>(&'own self, relations: &'own [RelationName]) -> impl Iterator<Item = &'own TablePattern> {
        let all = self.include.iter().chain(&self.exclude);
        all.filter(move |pattern| !relations.iter().any(|relation| pattern.matches(relation)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, schema: &str, name: &str) -> bool {
        pattern.parse::<TablePattern>().unwrap().matches(&RelationName::new(schema, name))
    }

    #[test]
    fn schemas_tables_and_wildcards_are_matched() {
        assert!(matched("public.*", "public", "orders") && !matched("public.*", "sales", "orders"));
        assert!(matched("*.audit_*", "sales", "audit_2024") && !matched("*.audit_*", "sales", "my_audit_2024"));
        assert!(matched("orders", "any", "orders") && !matched("orders", "any", "orders_1"));
        assert!(matched("a?c*e", "s", "abcde") && !matched("a?c*e", "s", "abcd"));
        assert!(matched("*a*b*c", "s", "aabbabc") && !matched("*a*b*c", "s", "aabbab"));
    }

    #[test]
    fn unquoted_names_fold_and_quoted_ones_are_taken_literally() {
        assert!(matched("Public.Orders", "public", "orders") && !matched("Public.Orders", "Public", "Orders"));
        assert!(matched("\"Odd.Schema\".\"x\"", "Odd.Schema", "x") && !matched("\"X\"", "s", "x"));
        assert!(matched("\"a*\"", "s", "a*") && !matched("\"a*\"", "s", "ab"));
        assert!(matched("\"say \"\"hi\"\"\"*", "s", "say \"hi\" twice"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let error = |text: &str| text.parse::<TablePattern>().unwrap_err();
        for text in ["", "  ", ".", "a.", ".a", "\"\""] {
            assert_eq!(error(text), PatternError::Empty, "{text}");
        }
        assert_eq!(error("\"a"), PatternError::OpenQuote);
        assert_eq!(error("a.b.c"), PatternError::TooManyParts);
        assert_eq!(error("a b"), PatternError::NeedsQuotes);
        assert_eq!(error(&"a".repeat(600)), PatternError::TooLong);
    }

    #[test]
    fn exclusion_wins_and_slips_are_found() {
        let patterns = TablePatterns::parse(&["public.*", "sles.*"], &["*.audit"]).unwrap();
        let relations = [RelationName::new("public", "orders"), RelationName::new("public", "audit")];
        assert_eq!(relations.each_ref().map(|relation| patterns.matches(relation)), [true, false]);
        assert_eq!(patterns.unmatched(&relations).map(ToString::to_string).collect::<Vec<_>>(), ["sles.*"]);
        assert_eq!(TablePatterns::parse(&["a"], &["b", ""]).unwrap_err(), (2, PatternError::Empty));
    }
}
