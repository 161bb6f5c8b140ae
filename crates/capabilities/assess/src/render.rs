//! Reports for people.

use std::fmt::Write as _;

use crate::{ALL, CheckResult, Report, Status};

/// Findings of one check that the text form shows; the JSON form has all of them.
const FINDINGS_SHOWN_MAX: usize = 20;

/// The report as text: what needs action first, then how many passed.
#[must_use]
pub fn render_text(report: &Report) -> String {
    let mut text = String::new();
    for side in [&report.source, &report.target].into_iter().chain(&report.standby) {
        let _infallible = writeln!(text, "{}: {} (PostgreSQL {}, as {})", side.side, side.place, side.major, side.role);
    }
    for status in [Status::Fail, Status::Warn, Status::Pass] {
        for check in report.checks.iter().filter(|check| check.status == status && !check.findings.is_empty()) {
            render_check(&mut text, check);
        }
    }
    let summary = report.summary;
    let _infallible = writeln!(
        text,
        "\n{} pass, {} warn, {} fail, {} not applicable: {}",
        summary.pass,
        summary.warn,
        summary.fail,
        summary.not_applicable,
        if report.forbids_move() { "the move is forbidden" } else { "nothing forbids the move" }
    );
    text
}

fn render_check(text: &mut String, check: &CheckResult) {
    let tolerated = if check.tolerated { " (tolerated)" } else { "" };
    let _infallible =
        writeln!(text, "\n{} {}: {}{tolerated}", check.status.as_str().to_uppercase(), check.id, check.title);
    for finding in check.findings.iter().take(FINDINGS_SHOWN_MAX) {
        let object = finding.object.as_ref().map_or_else(String::new, |object| format!("{object}: "));
        let _infallible = writeln!(text, "  - {object}{}", finding.seen);
        for line in finding.remedy.iter().flat_map(|remedy| remedy.lines()) {
            let _infallible = writeln!(text, "      {line}");
        }
    }
    let hidden = check.findings.len().saturating_sub(FINDINGS_SHOWN_MAX);
    if hidden > 0 {
        let _infallible = writeln!(text, "  - and {hidden} more; `--output json` has all");
    }
    if let Some(remedy) = check.remedy {
        let _infallible = writeln!(text, "  what to do: {remedy}");
    }
}

/// Every check's id, severity and title, one a line.
#[must_use]
pub fn render_list() -> String {
    let width = ALL.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in ALL.iter() {
        let _infallible = writeln!(text, "{:width$}  {:4}  {}", check.id, check.severity.as_str(), check.title);
    }
    text
}

/// The reference page of the checks, as Markdown.
#[must_use]
pub fn render_reference() -> String {
    let mut text = String::from(
        "# Checks of `atalaya assess`\n\nEach check has a stable id, and says pass, warn, fail or not applicable. \
         A check that fails forbids the move (exit code 4). One that could not look, for want of a privilege or of \
         time, finds the worst it could have found.\n",
    );
    for check in ALL.iter() {
        let _infallible = write!(
            text,
            "\n## `{}`\n\n{} (at worst: {})\n\n- Why: {}.\n- What to do: {}.\n",
            check.id,
            check.title,
            check.severity.as_str(),
            check.why,
            check.remedy
        );
    }
    text
}
