//! What several checks share.

use std::collections::BTreeMap;

use atalaya_data::RelationName;
use atalaya_postgres::Row;

use crate::check::Looking;
use crate::{Finding, Outcome};

/// The answer of a check that needs no server.
pub(super) fn ready<'a>(outcome: Outcome) -> Looking<'a> {
    Box::pin(std::future::ready(Ok(outcome)))
}

/// Schema and name from a row's first two columns.
pub(super) fn name_of(row: &Row) -> RelationName {
    RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1))
}

/// One finding a table from rows of `schema, table, detail`, the details joined.
pub(super) fn by_table(rows: &[Row], finding: impl Fn(&RelationName, &str) -> Finding) -> Vec<Finding> {
    let mut tables: BTreeMap<RelationName, Vec<String>> = BTreeMap::new();
    for row in rows {
        tables.entry(name_of(row)).or_default().push(row.get(2));
    }
    tables.iter().map(|(name, details)| finding(name, &details.join(", ")).on(name)).collect()
}

/// Names quoted with backticks, at most `limit` of them.
pub(super) fn listed(names: &[String], limit: usize) -> String {
    let mut text = names.iter().take(limit).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > limit {
        text.push_str(&format!(" and {} more", names.len() - limit));
    }
    text
}

/// Bytes for people.
pub(super) fn bytes(count: i64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let mut whole = count;
    let mut unit = "bytes";
    for next in UNITS {
        if whole < 10_240 {
            break;
        }
        whole /= 1024;
        unit = next;
    }
    format!("{whole} {unit}")
}

/// A span of time for people, from seconds.
pub(super) fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(bytes(512), "512 bytes");
        assert_eq!(bytes(16 * 1024 * 1024), "16 MB");
        assert_eq!(age(61), "61 s");
        assert_eq!(age(86_400 * 3), "3 days");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()], 2), "`a`, `b` and 1 more");
    }
}
