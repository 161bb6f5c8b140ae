//! The script that mends: every statement in the order of what depends on what, with notes.

use std::fmt::Write;

use super::render::{one_line, sentence};
use super::report::SchemaReport;

/// SQL for psql, to be run against the target. Statements that destroy something are comments.
#[must_use]
pub fn mending_script(report: &SchemaReport) -> String {
    let mut text = String::new();
    let _infallible = writeln!(
        text,
        "-- Makes the schema of {} ({}) like that of {} ({}).\n\
         -- For psql, outside a transaction: some statements cannot run in one. Read it first.\n\
         \\set ON_ERROR_STOP on\n\
         SET search_path = '';\n\
         SET check_function_bodies = off;",
        one_line(&report.target.database),
        report.target.server_version,
        one_line(&report.source.database),
        report.source.server_version
    );
    for difference in &report.differences {
        let _infallible = writeln!(text, "\n-- {}", sentence(difference));
        if let Some(note) = &difference.note {
            let _infallible = writeln!(text, "-- {note}");
        }
        for sql in &difference.sql {
            let statement = format!("{sql};");
            let lines: Vec<String> = match difference.destroys {
                true => statement.lines().map(|line| format!("-- {line}")).collect(),
                false => vec![statement],
            };
            let _infallible = writeln!(text, "{}", lines.join("\n"));
        }
    }
    if report.is_clean() {
        text.push_str("\n-- Nothing differs.\n");
    }
    text
}
