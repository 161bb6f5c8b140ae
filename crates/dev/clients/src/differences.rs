//! Where two reports or two texts differ, told so that it can be read.

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use crate::Report;

const CONTEXT_LINES: usize = 4;

/// What a program prints in place of a result where a scenario needs more servers at a time than there are.
const LEFT_OUT: &str = "needs more servers";

/// Where another report says something else than the direct one, scenario by scenario; `None` when nowhere.
///
/// A scenario that was left out for want of servers is no difference.
#[must_use]
pub fn differences(direct: &Report, other: &Report) -> Option<String> {
    let mut told = String::new();
    let left_out = json!(LEFT_OUT);
    for (name, expected) in &direct.scenarios {
        match other.result(name) {
            Some(result) if result == expected || *result == left_out => {}
            Some(result) => told += &unified(name, &lines(expected), &lines(result)),
            None => told += &format!("=== {name}: not told\n"),
        }
    }
    for name in other.names().filter(|name| !direct.names().any(|known| known == *name)) {
        told += &format!("=== {name}: told here alone\n");
    }
    (!told.is_empty()).then_some(told)
}

/// The lines in which two texts differ, with those around them; empty when they are equal.
#[must_use]
pub fn unified(name: &str, direct: &str, other: &str) -> String {
    if direct == other {
        return String::new();
    }
    let diff = TextDiff::from_lines(direct, other);
    let shown = diff.unified_diff().context_radius(CONTEXT_LINES).header("direct", "through the gateway").to_string();
    format!("=== {name}\n{shown}")
}

/// The same without those places where all lines of the other text, in place of the direct one's, begin as one of `by_design`
/// does; where it has none, those of the direct one do.
#[must_use]
pub fn unified_but_for(name: &str, direct: &str, other: &str, by_design: &[&str]) -> String {
    let diff = TextDiff::from_lines(direct, other);
    let told: String = diff
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .iter_hunks()
        .filter(|hunk| {
            let is_added = hunk.iter_changes().any(|change| change.tag() == ChangeTag::Insert);
            let looked_at = if is_added { ChangeTag::Insert } else { ChangeTag::Delete };
            let mut lines = hunk.iter_changes().filter(|change| change.tag() == looked_at);
            !lines.all(|change| by_design.iter().any(|start| change.value().starts_with(start)))
        })
        .map(|hunk| hunk.to_string())
        .collect();
    if told.is_empty() { told } else { format!("=== {name}\n{told}") }
}

/// One value a line: an element of a list, or a field.
fn lines(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[Value]) -> Report {
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Report::read(&text.join("\n")).unwrap()
    }

    #[test]
    fn equal_reports_do_not_differ_and_what_was_left_out_is_none() {
        let direct = report(&[json!({"scenario": "a", "result": [1, 2]}), json!({"scenario": "b", "result": 3})]);
        assert_eq!(differences(&direct, &direct), None);
        let fewer = report(&[json!({"scenario": "a", "result": [1, 2]}), json!({"scenario": "b", "result": LEFT_OUT})]);
        assert_eq!(differences(&direct, &fewer), None);
    }

    #[test]
    fn what_differs_by_design_does_so_in_those_lines_alone() {
        let direct = "a\nb\n1\n2\n3\n4\n5\n6\n7\n8\n9\nc\n";
        let other = "a\nno b here\n1\n2\n3\n4\n5\n6\n7\n8\n9\nno c here\n";
        assert_eq!(unified_but_for("x", direct, other, &["no "]), "");
        assert!(unified_but_for("x", direct, other, &["no b"]).contains("+no c here"));
        assert!(!unified_but_for("x", direct, other, &["no b"]).contains("+no b here"));
        assert!(unified_but_for("x", direct, "a\nb\n", &["no "]).contains("-1\n"), "what is missing is told");
    }

    #[test]
    fn another_result_a_missing_scenario_and_an_unknown_one_are_told() {
        let direct = report(&[json!({"scenario": "a", "result": [1, 2]}), json!({"scenario": "b", "result": 3})]);
        let other = report(&[json!({"scenario": "a", "result": [1, 4]}), json!({"scenario": "c", "result": 3})]);
        let told = differences(&direct, &other).unwrap();
        for part in ["=== a\n", "-  2\n", "+  4\n", "=== b: not told", "=== c: told here alone"] {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
    }
}
