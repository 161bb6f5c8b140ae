//! The report as text: what happened to the move, and that nothing was lost.

use std::fmt::Write;

use atalaya_verbs::grouped;

use crate::Report;

/// The whole report.
#[must_use]
pub fn render_text(report: &Report) -> String {
    let mut text = String::new();
    let verdict = if report.complaints.is_empty() { "nothing lost, nothing doubled" } else { "NOT AS IT SHOULD BE" };
    let _infallible = writeln!(
        text,
        "\nPostgreSQL {} -> {}, seed {}, {:.0} s: {verdict}\n",
        report.from, report.to, report.seed, report.seconds
    );
    let schema = &report.schema;
    let _infallible = writeln!(
        text,
        "  schema    {}: {} tables, {} made-up rows",
        report.origin,
        grouped(schema.tables),
        grouped(schema.rows)
    );
    for left in &schema.left_out {
        let _infallible = writeln!(text, "  LEFT OUT  {} {}: {}", left.kind, left.name, left.why);
    }
    for empty in &schema.empty {
        let _infallible = writeln!(text, "  EMPTY     {}: {}", empty.table, empty.why);
    }
    let writes = &report.writes;
    let _infallible = writeln!(
        text,
        "  writes    {} transactions; rows: {} inserted, {} changed, {} given another key, {} deleted; {} tables emptied",
        grouped(writes.committed),
        grouped(writes.inserted),
        grouped(writes.updated),
        grouped(writes.rekeyed),
        grouped(writes.deleted),
        grouped(writes.truncated)
    );
    faults(&mut text, report);
    for proof in &report.proofs {
        let _infallible = writeln!(text, "  proof     {}: {}", proof.name, proof.summary());
    }
    let comparison = &report.comparison;
    let _infallible = writeln!(
        text,
        "  psql      {} tables, {} rows, {} different",
        comparison.tables,
        grouped(comparison.rows),
        comparison.different.len()
    );
    if let Some(books) = &report.ledger {
        let _infallible = writeln!(
            text,
            "  ledger    {} commits told: {} missing, {} twice, {} that never were",
            grouped(books.committed),
            books.missing,
            books.duplicate,
            books.ghosts
        );
    }
    for complaint in &report.complaints {
        let _infallible = writeln!(text, "  WRONG     {}", complaint.text);
    }
    text
}

fn faults(text: &mut String, report: &Report) {
    let _infallible = writeln!(
        text,
        "  faults    {} came; the same command was run again {} times",
        report.faults.len(),
        report.runs_again
    );
    for fault in &report.faults {
        let _infallible = writeln!(
            text,
            "    {:>6.1} s  {:<34} {} ({}): {}; at work again after {:.1} s",
            fault.at_seconds, fault.kind, fault.during, fault.phase, fault.evidence, fault.outage_seconds
        );
    }
}
