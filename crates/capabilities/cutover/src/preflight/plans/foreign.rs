//! What is not known to be harmless, and planning a statement might run.
//!
//! Planning runs code: functions that are not volatile where their arguments are known, and others that are said to be the
//! code of an operator, a domain's check, an aggregate's first value or a function that is written in place. It would do so as
//! the role that plans, who may do more than those who made them. So a statement is planned only if no word of it may mean
//! anything that is not known to be harmless ([`read`](Foreign::read) says what is); trusting owners, or what a function is
//! declared to be, would not do: a superuser's function names what it calls by the `search_path` of whoever calls it.
//!
//! What is made or altered between reading this and planning is not seen: hence no superuser plans unless told to.

use std::collections::HashSet;

use atalaya_postgres::{Error, Session};

/// A name of at least as many bytes may be cut by the server, so that it means another one.
const NAME_BYTES_MAX: usize = 63;

/// Their names, and those of what uses them.
#[derive(Default)]
pub(super) struct Foreign {
    words: HashSet<String>,
    /// Operators, and names that are no plain words.
    parts: Vec<String>,
    /// A statement need not name it at all.
    is_everywhere: bool,
}

impl Foreign {
    /// Adds those of a database. Harmless are the server's own functions but for those that run what they are told to, and
    /// those in C of extensions whose code is known to run nothing; everything else that depends on none but these.
    pub(super) async fn read(&mut self, session: &Session) -> Result<(), Error> {
        for row in session.query(include_str!("foreign.sql"), &[]).await? {
            match row.get(1) {
                "everywhere" => self.is_everywhere = true,
                kind => self.add(row.get(0), kind == "operator"),
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, is_operator: bool) {
        let name = lower(name);
        if !is_operator && name.chars().all(is_word) {
            self.words.insert(name);
        } else {
            self.parts.push(name.replace('"', "\"\""));
        }
    }

    /// Whether a text may mean any of them. Compares words and nothing else, so that many a text is taken for one that does.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        let text = lower(text);
        let means = |word: &str| {
            // A number may end where a name begins.
            let name = word.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '$');
            word.len() >= NAME_BYTES_MAX || self.words.contains(word) || self.words.contains(name)
        };
        self.is_everywhere
            // Identifiers with escapes spell their names otherwise.
            || text.contains("u&\"")
            || text.split(|letter| !is_word(letter)).any(means)
            || self.parts.iter().any(|part| text.contains(part.as_str()))
    }
}

/// Letter by letter: what a letter becomes must not depend on those around it.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_may_mean_what_is_not_harmless_is_known() {
        let names = [("evil", false), ("Odd name", false), ("===", true), ("täter", false), ("ΑΣ", false)];
        let mut foreign = Foreign::default();
        names.into_iter().for_each(|(name, is_operator)| foreign.add(name, is_operator));
        let long = format!("SELECT {}()", "x".repeat(64));
        for text in [
            "SELECT EVIL()",
            "select app.\"evil\"(1)",
            "TABLE \"Odd name\"",
            "SELECT a===b",
            "SELECT u&\"!\"",
            "select täter()",
            "SELECT ΑΣ.b FROM ΑΣ.c",
            "SELECT 1evil",
            &long,
        ] {
            assert!(foreign.may_be_in(text), "{text}");
        }
        for text in ["SELECT evil_one, medevil FROM t", "SELECT a == b", "SELECT 'odd', name"] {
            assert!(!foreign.may_be_in(text), "{text}");
        }
        assert!(!Foreign::default().may_be_in("SELECT evil()"));
        assert!(Foreign { is_everywhere: true, ..Foreign::default() }.may_be_in("SELECT 1"));
    }
}
