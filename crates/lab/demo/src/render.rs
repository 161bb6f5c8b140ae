//! The report as text: short, the figures a DBA asks for first.

use std::fmt::Write;

use atalaya_data::size::bytes;
use atalaya_verbs::grouped;

use crate::{Canvas, Report, held};

/// The whole report, with plots as wide as the canvas.
#[must_use]
pub fn render_text(report: &Report, canvas: Canvas) -> String {
    let mut text = String::new();
    let verdict = if report.complaints.is_empty() { "nothing was lost" } else { "NOT AS IT SHOULD BE" };
    let fsync = if report.durable { "on" } else { "off" };
    let _infallible = writeln!(text, "\nPostgreSQL {} -> {}, fsync {fsync}: {verdict}\n", report.from, report.to);
    for (name, value) in lines(report) {
        let _infallible = writeln!(text, "  {name:<15}{value}");
    }
    held::render(&mut text, report, canvas);
    proofs(&mut text, report);
    steps(&mut text, report);
    for complaint in &report.complaints {
        let _infallible = writeln!(text, "\nNOT AS IT SHOULD BE: {complaint}");
    }
    text
}

fn lines(report: &Report) -> Vec<(&'static str, String)> {
    let (shop, copied, lag, writes) = (&report.shop, &report.copied, &report.lag, &report.writes);
    let (books, old) = (&report.reconciliation, &report.reconciliation_old);
    vec![
        ("database", format!("{} tables, {} rows, {}", shop.tables, grouped(shop.rows), bytes(shop.bytes))),
        (
            "copy",
            format!(
                "{} rows, {} in {:.1} s: {:.1} MB/s; indexes and keys {:.1} s; caught up {:.1} s later",
                grouped(copied.rows),
                bytes(copied.bytes),
                copied.seconds,
                copied.mb_per_second,
                copied.index_seconds,
                copied.catch_up_seconds
            ),
        ),
        (
            "writes",
            format!(
                "{} transactions committed in {:.0} s through the gateway: {:.0}/s, slowest second {}",
                grouped(writes.committed),
                writes.seconds,
                writes.per_second_mean,
                writes.per_second_min
            ),
        ),
        (
            "clients saw",
            format!(
                "{} transactions failed{}; 99 of 100 answers within {:.0} ms, the longest {:.0} ms",
                writes.failed,
                match writes.deadlocks {
                    0 => String::new(),
                    deadlocks => format!(", but for {deadlocks} deadlocks of clients with each other"),
                },
                writes.latency_p99_ms,
                writes.latency_max_ms
            ),
        ),
        (
            "lag",
            format!(
                "{} after the copy; {} and {:.1} s when caught up; at most {} and {:.1} s afterwards",
                bytes(lag.after_copy_bytes),
                bytes(lag.caught_up_bytes),
                lag.caught_up_seconds,
                bytes(lag.following_bytes_max),
                lag.following_seconds_max
            ),
        ),
        ("finish", format!("{:.1} s, while the clients went on on the new server", report.finish.seconds)),
        (
            "ledger",
            format!(
                "{} commits told to clients: {} lost, {} twice, {} never told; books {}, on both servers",
                grouped(books.committed),
                books.missing + old.missing,
                books.duplicate + old.duplicate,
                books.ghosts + old.ghosts,
                if books.is_clean() && old.is_clean() { "balance" } else { "DO NOT BALANCE" }
            ),
        ),
        (
            "afterwards",
            format!(
                "{} transactions committed while the move was finished and after it, {} errors",
                grouped(report.afterwards.committed),
                report.afterwards.errors.values().sum::<u64>()
            ),
        ),
        (
            "certificate",
            format!(
                "both sides {}, made in {:.1} s with both at rest",
                if report.certificate.equal { "equal, rows and schema" } else { "NOT EQUAL" },
                report.certificate.seconds
            ),
        ),
        (
            "corrupted cell",
            format!(
                "{} of {} where {}: found, {} row read again, restored",
                report.corruption.column,
                report.corruption.table,
                report.corruption.key,
                report.corruption.rows_repaired
            ),
        ),
    ]
}

fn proofs(text: &mut String, report: &Report) {
    let _infallible =
        writeln!(text, "\n  {:<24}{:>7}{:>14}{:>13}{:>9}", "proof", "tables", "rows", "differences", "seconds");
    for proof in &report.proofs {
        let _infallible = writeln!(
            text,
            "  {:<24}{:>7}{:>14}{:>13}{:>9.1}",
            proof.name,
            proof.tables,
            grouped(proof.rows),
            proof.differences,
            proof.seconds
        );
        for found in &proof.found {
            let _infallible = writeln!(text, "    {found}");
        }
    }
}

fn steps(text: &mut String, report: &Report) {
    let _infallible = writeln!(text, "\n  {:<58}{:>9}", "step", "seconds");
    for step in &report.steps {
        let _infallible = writeln!(text, "  {:<58}{:>9.1}", step.title, step.seconds);
    }
    let all: f64 = report.steps.iter().map(|step| step.seconds).sum();
    let _infallible = writeln!(text, "  {:<58}{all:>9.1}", "all");
}
