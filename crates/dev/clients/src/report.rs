//! What a program printed: one line for each scenario, in order.

use serde_json::Value;

/// Why a program's output is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A line is not `{"scenario": NAME, "result": ...}`.
    #[error("line {line} is no scenario's: `{start}`")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Its beginning.
        start: String,
    },
    /// Two lines have the same name.
    #[error("the scenario `{name}` is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// There is no line.
    #[error("no scenario was told")]
    Empty,
}

/// The results of a program's scenarios.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub(crate) scenarios: Vec<(String, Value)>,
}

impl Report {
    /// Reads what a program printed.
    ///
    /// # Errors
    /// When a line is not a scenario's, when a scenario is there twice, or when there is none: a program that ended early
    /// must not pass for one that agrees.
    pub fn read(text: &str) -> Result<Self, ReportError> {
        const START_CHARACTERS: usize = 120;
        let mut scenarios: Vec<(String, Value)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let unreadable =
                || ReportError::Line { line: index + 1, start: line.chars().take(START_CHARACTERS).collect() };
            let mut value: Value = serde_json::from_str(line).map_err(|_| unreadable())?;
            let name = value.get("scenario").and_then(Value::as_str).ok_or_else(unreadable)?.to_owned();
            let result = value.get_mut("result").map(Value::take).ok_or_else(unreadable)?;
            if scenarios.iter().any(|(other, _)| *other == name) {
                return Err(ReportError::Twice { name });
            }
            scenarios.push((name, result));
        }
        if scenarios.is_empty() { Err(ReportError::Empty) } else { Ok(Self { scenarios }) }
    }

    /// What a scenario gave; `None` when there is none of this name.
    #[must_use]
    pub fn result(&self, scenario: &str) -> Option<&Value> {
        self.scenarios.iter().find(|(name, _)| name == scenario).map(|(_, result)| result)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.scenarios.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_said_nothing_or_nonsense_has_no_report() {
        assert!(matches!(Report::read(""), Err(ReportError::Empty)));
        assert!(matches!(Report::read("{\"scenario\": \"a\"}"), Err(ReportError::Line { line: 1, .. })));
        let twice = "{\"scenario\": \"a\", \"result\": 1}\n{\"scenario\": \"a\", \"result\": 1}";
        assert!(matches!(Report::read(twice), Err(ReportError::Twice { .. })));
        let report =
            Report::read("{\"scenario\": \"a\", \"result\": null}\n{\"scenario\": \"b\", \"result\": 1}").unwrap();
        assert_eq!(report.names().collect::<Vec<_>>(), ["a", "b"]);
    }
}
