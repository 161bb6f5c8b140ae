//! Values that a check or a partition's bound names itself: the best guess at what it lets pass.

use atalaya_data::quote_literal;
use atalaya_postgres::Session;

use crate::Error;

/// More make no better guess.
const CANDIDATES_MAX: usize = 40;
/// What checks of texts ask for again and again.
const COMMON: [&str; 12] = [
    "a@b.example",
    "https://a.example/b",
    "+4930123456",
    "DE",
    "EUR",
    "de-DE",
    "AB-1234",
    "abc",
    "ABC",
    "12345",
    "2001-01-01",
    "#a0b1c2",
];
/// What literals of types that nothing here knows look like.
const PROBES: [&str; 16] = [
    "1",
    "a",
    "v1.b",
    "a=>1",
    "(0,0)",
    "{}",
    "[1,2,3]",
    "{1,2,3}",
    "POINT(1 2)",
    "0/1",
    "1.5",
    "2001-01-01",
    "[1,2]",
    "",
    "x'",
    "1:2",
];

/// The literals of some expressions, and what is near their numbers.
fn literals(expressions: &[String], of_text: bool) -> Vec<String> {
    let mut found = Vec::new();
    for expression in expressions {
        let mut rest = expression.as_str();
        while let Some(at) = rest.find(|letter: char| letter == '\'' || letter.is_ascii_digit()) {
            let from = rest.get(at..).unwrap_or_default();
            let is_in_word = rest
                .get(..at)
                .is_some_and(|before| before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_'));
            let (literal, length) = if from.starts_with('\'') { quoted(from) } else { number(from) };
            rest = from.get(length..).unwrap_or_default();
            if from.starts_with('\'') {
                found.push(literal);
            } else if let (Ok(number), false) = (literal.parse::<i64>(), is_in_word) {
                if of_text {
                    // A length, most likely.
                    let length = usize::try_from(number.clamp(0, 200)).unwrap_or_default();
                    found.extend(["A".repeat(length), "7".repeat(length)]);
                } else {
                    found.extend(
                        [number, number.saturating_add(1), number.saturating_sub(1)].map(|near| near.to_string()),
                    );
                }
            }
        }
    }
    if of_text && !expressions.is_empty() {
        found.extend(COMMON.map(str::to_owned));
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|literal| seen.insert(literal.clone()));
    found.truncate(CANDIDATES_MAX);
    found
}

/// The text of a quoted literal, and its length as written.
fn quoted(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '\'' {
            value.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == '\'') {
            value.push('\'');
            letters.next();
        } else {
            return (value, at + 1);
        }
    }
    (value, text.len())
}

fn number(text: &str) -> (String, usize) {
    let length = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    (text.get(..length).unwrap_or_default().to_owned(), length)
}

/// The literals that the server takes for a value of the type.
pub(super) async fn accepted(
    session: &Session,
    type_sql: &str,
    expressions: &[String],
    of_text: bool,
) -> Result<Vec<String>, Error> {
    parsed(session, type_sql, literals(expressions, of_text)).await
}

/// Values of a type that nothing here knows.
pub(super) async fn probed(session: &Session, type_sql: &str) -> Result<Vec<String>, Error> {
    parsed(session, type_sql, PROBES.map(str::to_owned).to_vec()).await
}

async fn parsed(session: &Session, type_sql: &str, literals: Vec<String>) -> Result<Vec<String>, Error> {
    let mut accepted = Vec::new();
    for literal in literals {
        let quoted = quote_literal(&literal);
        match session.batch(&format!("SELECT CAST(CAST({quoted} AS pg_catalog.text) AS {type_sql})")).await {
            Ok(()) => accepted.push(quoted),
            Err(error) if session.is_closed() => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_with_what_is_near_their_numbers() {
        let checks = ["CHECK ((kind = ANY (ARRAY['it''s'::text, 'b'::text])) AND col7 < 5)".to_owned()];
        assert_eq!(literals(&checks, false), ["it's", "b", "5", "6", "4"]);
        let checks = ["CHECK ((length(code) = 3))".to_owned()];
        assert_eq!(literals(&checks, true)[..2], ["AAA", "777"]);
        assert!(literals(&[], true).is_empty());
    }
}
