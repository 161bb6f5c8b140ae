//! What a proof came to, as the journal keeps it.

use atalaya_migration::{Extent, MigrationEvent, Verdict};
use atalaya_validate::{Report, TableStatus};

use super::Who;

/// A proof of every row, or of the keys that were written since; none for what proves nothing.
pub(crate) fn proven(report: &Report, accepted: bool) -> Option<MigrationEvent> {
    let extent = match report.method.as_str() {
        "full" => Extent::Full,
        "touched" => Extent::Touched,
        _ => return None,
    };
    let verdict = if report.is_clean() {
        Verdict::Equal
    } else if accepted {
        Verdict::Accepted
    } else if report.has_differences() {
        Verdict::Different
    } else {
        Verdict::Unproven
    };
    let differs = report.tables.iter().filter(|table| table.status == TableStatus::Different);
    Some(MigrationEvent::Proven {
        by: Who::runs().by,
        extent,
        verdict,
        tables: report.totals.tables as u64,
        rows: report.totals.source_rows,
        different: differs.map(|table| table.source.to_string()).collect(),
    })
}
