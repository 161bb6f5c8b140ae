//! A report as text for people: what is wrong first, then the sums.

use std::fmt::Write;

use crate::{ColumnValues, Finding, FindingKind, Report, SequenceStatus, Shown, SkipVerdict, TableReport, TableStatus};

/// How a table's comparison ended, in words.
#[must_use]
pub fn render_status(status: TableStatus) -> &'static str {
    match status {
        TableStatus::Equal => "equal",
        TableStatus::Different => "DIFFERENT",
        TableStatus::NotProven => "not proven",
        TableStatus::Failed => "FAILED",
    }
}

/// The whole report.
#[must_use]
pub fn render_text(report: &Report) -> String {
    let mut text = String::new();
    for table in report.tables.iter().filter(|table| table.status != TableStatus::Equal) {
        render_table(&mut text, table);
    }
    for skipped in report.skipped.iter().filter(|skipped| skipped.verdict != SkipVerdict::Irrelevant) {
        let word = if skipped.verdict == SkipVerdict::Difference { "DIFFERENT" } else { "not proven" };
        let _infallible = writeln!(text, "{} {word}: {}", skipped.table, skipped.reason);
    }
    for sequence in &report.sequences {
        let stands = match (sequence.status, sequence.target) {
            (SequenceStatus::Missing, _) | (_, None) => "is missing on the target".to_owned(),
            (_, Some(target)) if target == sequence.source => {
                format!("stands at {target} on both sides, which only one of them has given out")
            }
            (_, Some(target)) => format!("stands at {target} on the target, at {} on the source", sequence.source),
        };
        let _infallible = writeln!(text, "sequence {} {stands}", sequence.name);
    }
    render_sums(&mut text, report);
    text
}

fn render_table(text: &mut String, table: &TableReport) {
    let _infallible = write!(text, "{} {}", table.source, render_status(table.status));
    if table.missing + table.extra + table.different > 0 {
        let _infallible =
            write!(text, ": {} missing, {} extra, {} different", table.missing, table.extra, table.different);
    }
    if let Some(note) = &table.note {
        let _infallible = write!(text, ": {note}");
    }
    text.push('\n');
    for (what, columns) in [("lacks", &table.missing_columns), ("has besides", &table.extra_columns)] {
        if !columns.is_empty() {
            let _infallible = writeln!(text, "  the target {what} the columns {}", columns.join(", "));
        }
    }
    for finding in &table.findings {
        render_finding(text, finding);
    }
    let found = table.missing + table.extra + table.different;
    let listed = table.findings.len() as u64;
    if found > listed && listed > 0 {
        let _infallible = writeln!(text, "  and {} more", found - listed);
    }
    if let Some(hint) = &table.hint {
        let _infallible = writeln!(text, "  hint: {hint}");
    }
}

fn render_finding(text: &mut String, finding: &Finding) {
    let word = match finding.kind {
        FindingKind::Missing => "missing",
        FindingKind::Extra => "extra",
        FindingKind::Different => "different",
    };
    let key: Vec<String> = finding
        .key
        .iter()
        .map(|column| format!("{} = {}", column.column, column.value.as_deref().unwrap_or("NULL")))
        .collect();
    let places: Vec<String> = [("source", &finding.source_place), ("target", &finding.target_place)]
        .iter()
        .filter_map(|(side, place)| place.as_ref().map(|place| format!("ctid {place} on the {side}")))
        .collect();
    let row = if key.is_empty() { places.join(", ") } else { key.join(", ") };
    let columns: Vec<String> = finding
        .columns
        .iter()
        .map(|column| match &column.values {
            Some(values) => format!("{} ({})", column.column, render_values(values)),
            None => column.column.clone(),
        })
        .collect();
    let columns = if columns.is_empty() { String::new() } else { format!(": {}", columns.join(", ")) };
    let _infallible = writeln!(text, "  {word}  {row}{columns}");
}

fn render_values(values: &ColumnValues) -> String {
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
    format!("source {}, target {}", word(&values.source), word(&values.target))
}

/// How long ago the oldest comparison of every row was that the result rests on.
fn oldest(report: &Report) -> String {
    let ages = report.tables.iter().filter(|table| table.shown_by != Shown::Rows);
    let oldest = ages
        .filter_map(|table| table.full_age_seconds)
        .fold(None, |oldest: Option<f64>, age| Some(oldest.map_or(age, |oldest| oldest.max(age))));
    oldest.map_or_else(String::new, |age| format!("; the oldest comparison of every row is {age:.0} s old"))
}

fn render_sums(text: &mut String, report: &Report) {
    let totals = &report.totals;
    let at = match (report.moment, report.fences.as_slice()) {
        ("fence", [one]) => format!(" at {one}"),
        ("fence", fences) => format!(" at {} fences", fences.len()),
        ("looks", _) => " by repeated looks".to_owned(),
        (_, _) => " with no writes".to_owned(),
    };
    if report.method == "touched" {
        let _infallible = writeln!(
            text,
            "{} compared in full, {} by {} keys that were written since, {} not written since{}",
            totals.tables - totals.by_keys - totals.untouched,
            totals.by_keys,
            totals.touched_keys,
            totals.untouched,
            oldest(report)
        );
    }
    let _infallible = writeln!(
        text,
        "{} of {} tables equal{at}, method {}: {} rows on the source, {} on the target; {} missing, {} extra, \
         {} different; {:.1} s",
        totals.equal,
        totals.tables,
        report.method,
        totals.source_rows,
        totals.target_rows,
        totals.missing,
        totals.extra,
        totals.different,
        report.seconds
    );
    let verdict = if report.is_clean() && ["full", "touched"].contains(&report.method.as_str()) {
        "proven equal"
    } else if report.is_clean() {
        "no difference found; only --method full is a proof"
    } else if report.has_differences() {
        "DIFFERENT"
    } else {
        "NOT PROVEN"
    };
    let _infallible = writeln!(text, "{verdict}");
}
