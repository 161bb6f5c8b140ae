//! A comparison of schemas as text for people.

use std::fmt::Write;

use super::report::{Problem, SchemaDifference, SchemaReport, Severity};

/// Longer values are cut: a definition stands in the script.
const SHOWN_MAX: usize = 160;

/// The whole report: differences with what mends them, what is pending, the sums.
#[must_use]
pub fn render_schema(report: &SchemaReport) -> String {
    let mut text = String::new();
    for severity in [Severity::Data, Severity::Behaviour, Severity::Performance, Severity::Cosmetic] {
        for difference in report.differences.iter().filter(|difference| difference.severity == severity) {
            render(&mut text, difference);
        }
    }
    if !report.pending.is_empty() {
        let _infallible = writeln!(text, "pending until `migrate finish`:");
        for (kind, count) in pending_by_kind(report) {
            let _infallible = writeln!(text, "  {count} x {kind}");
        }
    }
    let objects: usize = report.compared.iter().map(|(_, count)| count).sum();
    let _infallible = writeln!(
        text,
        "{objects} objects of {} ({}) compared with {} ({}): {} differences, {} pending",
        report.source.database,
        report.source.server_version,
        report.target.database,
        report.target.server_version,
        report.differences.len(),
        report.pending.len()
    );
    for line in report.not_compared.iter().skip(1) {
        let _infallible = writeln!(text, "not compared: {line}");
    }
    let _infallible = writeln!(text, "{}", if report.is_clean() { "the schemas are equal" } else { "DIFFERENT" });
    text
}

fn pending_by_kind(report: &SchemaReport) -> Vec<(&'static str, usize)> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for difference in &report.pending {
        match counts.iter_mut().find(|(kind, _)| *kind == difference.kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((difference.kind, 1)),
        }
    }
    counts
}

fn render(text: &mut String, difference: &SchemaDifference) {
    let _infallible = writeln!(text, "{:<11} {}", word(difference.severity), sentence(difference));
    if difference.attribute.is_some() {
        for (side, value) in [("source", &difference.source), ("target", &difference.target)] {
            let _infallible = writeln!(text, "    {side}  {}", shown(value.as_deref()));
        }
    }
    for sql in &difference.sql {
        let mark = if difference.destroys { "-- " } else { "" };
        let _infallible = writeln!(text, "    {mark}{};", cut(sql));
    }
    if let Some(note) = &difference.note {
        let _infallible = writeln!(text, "    note: {note}");
    }
}

/// What is wrong, in one line.
pub(crate) fn sentence(difference: &SchemaDifference) -> String {
    let object = format!("{} {}", difference.kind, one_line(&difference.identity));
    match (difference.problem, &difference.attribute) {
        (Problem::Missing, _) => format!("{object} is missing on the target"),
        (Problem::Extra, _) => format!("{object} is on the target only"),
        (Problem::Different, Some(attribute)) => format!("{object}: {attribute} differs"),
        (Problem::Different, None) => format!("{object} differs"),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Data => "DATA",
        Severity::Behaviour => "BEHAVIOUR",
        Severity::Performance => "performance",
        Severity::Cosmetic => "cosmetic",
    }
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), cut)
}

fn cut(text: &str) -> String {
    let line = one_line(text);
    match line.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{} ...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// Names may hold anything: nothing of them may end a line.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|each| if each.is_control() { ' ' } else { each }).collect()
}
