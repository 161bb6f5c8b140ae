//! A certificate, and what a server says to it, as text for people.

use std::fmt::Write;

use super::check::{CertificateSide, CheckReport, CheckedTableStatus};
use super::document::{Certificate, StandsAt};

/// A certificate in a few lines; the file says the rest.
#[must_use]
pub fn render_certificate(certificate: &Certificate) -> String {
    let mut text = String::new();
    for table in certificate.tables.iter().filter(|table| !table.is_equal()) {
        let _infallible = writeln!(
            text,
            "{} DIFFERENT: {} rows on the source, {} on the target",
            table.name, table.source.rows, table.target.rows
        );
    }
    for table in &certificate.not_read {
        let _infallible = writeln!(text, "{} NOT READ: {}", table.what, table.reason);
    }
    let rows: u64 = certificate.tables.iter().map(|table| table.target.rows).sum();
    let equal = certificate.tables.iter().filter(|table| table.is_equal()).count();
    let _infallible = writeln!(
        text,
        "{equal} of {} tables equal, {rows} rows on the target, every row hashed on both sides; {} differences of the schemas",
        certificate.tables.len(),
        certificate.schema.differences.len()
    );
    text
}

/// What a server says to a certificate.
#[must_use]
pub fn render_check(report: &CheckReport) -> String {
    let mut text = String::new();
    for table in &report.tables {
        let line = match (table.status, &table.now, &table.note) {
            (CheckedTableStatus::Equal, ..) => continue,
            (_, Some(now), _) if now.rows != table.certified.rows => {
                format!("DIFFERENT: {} rows were certified, {} are there", table.certified.rows, now.rows)
            }
            (_, Some(now), _) => format!("DIFFERENT: {} rows, but not with the same content", now.rows),
            (_, None, note) => format!("MISSING: {}", note.as_deref().unwrap_or_default()),
        };
        let _infallible = writeln!(text, "{} {line}", table.table);
    }
    for sequence in &report.sequences {
        let _infallible = writeln!(
            text,
            "sequence {} DIFFERENT: {} was certified, {} is there",
            sequence.name,
            stands(sequence.certified.as_ref()),
            stands(sequence.now.as_ref())
        );
    }
    let equal = report.tables.iter().filter(|table| table.status == CheckedTableStatus::Equal).count();
    let side = match report.side {
        CertificateSide::Source => "source",
        CertificateSide::Target => "target",
    };
    let _infallible =
        writeln!(text, "{equal} of {} tables as certified for the {side} at {}", report.tables.len(), report.made_at);
    if !report.same_server {
        let _infallible = writeln!(text, "another server or database than the certificate's, such as a restored copy");
    }
    if report.is_clean() {
        text.push_str("as certified\n");
    } else {
        text.push_str(
            "DIFFERENT\nA server that was written to since differs by right: the certificate says what stood there then.\n",
        );
    }
    text
}

fn stands(at: Option<&StandsAt>) -> String {
    match at {
        None => "nothing".to_owned(),
        Some(at) if at.is_called => at.last_value.clone(),
        Some(at) => format!("{} (not given out)", at.last_value),
    }
}
