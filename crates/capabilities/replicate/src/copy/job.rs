//! What a worker does at a time: a whole table, or one range of a large one.

use std::collections::HashMap;
use std::sync::Arc;

use atalaya_catalog::{Relation, RelationKind, TypeKind};
use atalaya_data::{RelationName, quote_identifier, quote_literal};
use atalaya_postgres::Session;

use super::format::{Format, format_of};
use crate::ddl::Definition;
use crate::progress::{Store, TableRow};
use crate::{Error, Plan};

/// int2, int4, int8: keys whose ranges a scan of the index can follow.
const INTEGERS: &[u32] = &[21, 23, 20];
/// The first version that scans a range of ctids without reading the whole table.
const CTID_RANGES_FROM: u32 = 14;
const MOST_RANGES: u64 = 1000;

/// One load.
pub(super) struct Job {
    pub(super) source: Arc<Relation>,
    pub(super) target: Arc<Relation>,
    pub(super) format: Format,
    pub(super) range: Option<Range>,
    /// Whether the target's table is this job's alone: only then may it be emptied first.
    pub(super) alone: bool,
    /// How the target's table is emptied.
    pub(super) emptied: Emptied,
    /// What the source's table was before the snapshot.
    pub(super) definition: Option<Definition>,
}

/// How a table of the target is emptied before its rows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// The fast way, after which rows can come frozen.
    Truncated,
    /// Row by row: a table that foreign keys of others refer to cannot be truncated alone.
    Deleted,
}

/// A part of a table; the parts are disjoint and together hold every row.
pub(super) struct Range {
    pub(super) number: i32,
    pub(super) condition: String,
}

impl Job {
    fn columns(&self) -> String {
        self.source.data_columns().map(|column| quote_identifier(&column.name)).collect::<Vec<_>>().join(", ")
    }

    /// The source's side. ONLY, since children of an inheritance tree are tables of their own.
    pub(super) fn copy_out(&self) -> String {
        let (table, columns, format) = (self.source.name.to_sql(), self.columns(), self.format.as_sql());
        match &self.range {
            // COPY of a plain table reads that table only, and is faster than a query.
            None => format!("COPY {table} ({columns}) TO STDOUT ({format})"),
            Some(range) => {
                format!("COPY (SELECT {columns} FROM ONLY {table} WHERE {}) TO STDOUT ({format})", range.condition)
            }
        }
    }

    /// Empties the target's table, where the job is the one to do it.
    pub(super) fn truncate(&self) -> String {
        if self.range.is_none() && self.alone { emptying(&self.target, self.emptied) } else { String::new() }
    }

    /// The target's side.
    pub(super) fn copy_in(&self) -> String {
        // Frozen rows need a table that was truncated in the same transaction.
        let truncated = self.range.is_none() && self.alone && self.emptied == Emptied::Truncated;
        let freeze = if truncated && self.target.holds_rows() { ", FREEZE" } else { "" };
        format!("COPY {} ({}) FROM STDIN ({}{freeze})", self.target.name.to_sql(), self.columns(), self.format.as_sql())
    }
}

/// A range as it was written down.
pub(super) struct StoredRange {
    number: i32,
    condition: String,
    done: bool,
}

/// The ranges of all tables that were written down, by table and in their order.
pub(super) async fn stored_ranges(store: &Store<'_>) -> Result<HashMap<RelationName, Vec<StoredRange>>, Error> {
    let rows = store
        .session
        .query(
            "SELECT schema, name, range, condition, done FROM atalaya.copy_ranges
              WHERE migration = $1 ORDER BY schema, name, range",
            &[&store.name],
        )
        .await?;
    let mut ranges: HashMap<RelationName, Vec<StoredRange>> = HashMap::new();
    for row in rows {
        ranges
            .entry(RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)))
            .or_default()
            .push(StoredRange { number: row.get(2), condition: row.get(3), done: row.get(4) });
    }
    Ok(ranges)
}

/// How a table is loaded.
pub(super) struct Loaded {
    pub(super) from: Arc<Relation>,
    pub(super) to: Arc<Relation>,
    pub(super) emptied: Emptied,
    /// What stands there already is taken as it is: after a kill the options may say otherwise.
    pub(super) ranges: Vec<StoredRange>,
}

/// The jobs of one table: decided once, so that ranges stay the same over a resume.
pub(super) async fn jobs_of(
    plan: &Plan,
    store: &Store<'_>,
    source: &Session,
    table: &TableRow,
    loaded: Loaded,
) -> Result<Vec<Job>, Error> {
    let Loaded { from, to, emptied, mut ranges } = loaded;
    let format = format_of(&from, &to);
    let job = |range| Job {
        source: Arc::clone(&from),
        target: Arc::clone(&to),
        format,
        range,
        alone: !table.shares_target,
        emptied,
        definition: table.definition.clone(),
    };
    let wanted = if plan.options.workers > 1 && from.bytes > plan.options.split_bytes {
        (from.bytes / plan.options.split_bytes.max(1) + 1).clamp(2, MOST_RANGES)
    } else {
        1
    };
    if table.ranges.is_none() && wanted > 1 {
        let conditions = range_conditions(source, &from, wanted).await?;
        if conditions.len() > 1 {
            begin_ranges(store, table, &to, emptied, &conditions).await?;
            ranges = (0..)
                .zip(conditions)
                .map(|(number, condition)| StoredRange { number, condition, done: false })
                .collect();
        }
    }
    if ranges.is_empty() {
        return Ok(vec![job(None)]);
    }
    let open = ranges.into_iter().filter(|range| !range.done);
    Ok(open.map(|StoredRange { number, condition, .. }| job(Some(Range { number, condition }))).collect())
}

fn emptying(target: &Relation, emptied: Emptied) -> String {
    // A partitioned table holds its rows in its partitions; children by inheritance are tables of their own.
    let only = if target.kind == RelationKind::Partitioned { "" } else { "ONLY " };
    let how = match emptied {
        Emptied::Truncated => "TRUNCATE",
        Emptied::Deleted => "DELETE FROM",
    };
    format!("{how} {only}{};", target.name.to_sql())
}

/// Empties the target's table, unless others load it too, and writes the ranges down, in one transaction.
async fn begin_ranges(
    store: &Store<'_>,
    table: &TableRow,
    target: &Relation,
    emptied: Emptied,
    conditions: &[String],
) -> Result<(), Error> {
    let (migration, schema, name) =
        (quote_literal(store.name), quote_literal(&table.source.schema), quote_literal(&table.source.name));
    let values: Vec<String> = conditions
        .iter()
        .enumerate()
        .map(|(number, condition)| format!("({migration}, {schema}, {name}, {number}, {})", quote_literal(condition)))
        .collect();
    // A target with foreign keys is taken only where the role may keep triggers from firing.
    let silence = match emptied {
        Emptied::Truncated => "",
        Emptied::Deleted => "SET LOCAL session_replication_role = replica;",
    };
    store
        .session
        .batch(&format!(
            "BEGIN; SET LOCAL statement_timeout = 0; {}; {silence} {}
             INSERT INTO atalaya.copy_ranges (migration, schema, name, range, condition) VALUES {};
             UPDATE atalaya.tables SET state = 'copying', ranges = {}
              WHERE migration = {migration} AND schema = {schema} AND name = {name}; COMMIT",
            store.marker_sql(),
            if table.shares_target { String::new() } else { emptying(target, emptied) },
            values.join(", "),
            conditions.len(),
        ))
        .await?;
    Ok(())
}

/// Conditions of so many ranges: by blocks from 14 on, by an integer key before; none where neither serves.
async fn range_conditions(source: &Session, table: &Relation, ranges: u64) -> Result<Vec<String>, Error> {
    if source.major() >= CTID_RANGES_FROM {
        return Ok(block_ranges(table.blocks.max(ranges), ranges));
    }
    let key = table.key.as_ref().filter(|key| key.columns.len() == 1).and_then(|_| table.key_columns().next());
    let Some(column) = key.filter(|column| column.type_kind == TypeKind::Base && INTEGERS.contains(&column.type_oid))
    else {
        return Ok(Vec::new());
    };
    let name = quote_identifier(&column.name);
    let row = source
        .query_one(&format!("SELECT min({name})::int8, max({name})::int8 FROM ONLY {}", table.name.to_sql()), &[])
        .await?;
    match (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1)) {
        (Some(least), Some(greatest)) => Ok(key_ranges(&name, least, greatest, ranges)),
        _ => Ok(Vec::new()),
    }
}

/// Ranges of blocks; the last one is open, since a table may have grown before the snapshot.
fn block_ranges(blocks: u64, ranges: u64) -> Vec<String> {
    let start = |number: u64| blocks * number / ranges;
    (0..ranges)
        .map(|number| {
            let from = format!("ctid >= '({},0)'::tid", start(number));
            if number + 1 == ranges { from } else { format!("{from} AND ctid < '({},0)'::tid", start(number + 1)) }
        })
        .collect()
}

/// Ranges of an integer key; the first and the last are open.
fn key_ranges(name: &str, least: i64, greatest: i64, ranges: u64) -> Vec<String> {
    let width = (i128::from(greatest) - i128::from(least) + 1) / i128::from(ranges);
    if width < 1 {
        return Vec::new();
    }
    let start = |number: u64| i128::from(least) + width * i128::from(number);
    (0..ranges)
        .map(|number| match number {
            0 => format!("{name} < {}", start(1)),
            _ if number + 1 == ranges => format!("{name} >= {}", start(number)),
            _ => format!("{name} >= {} AND {name} < {}", start(number), start(number + 1)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_ranges_meet_and_the_last_is_open() {
        assert_eq!(
            block_ranges(10, 3),
            [
                "ctid >= '(0,0)'::tid AND ctid < '(3,0)'::tid",
                "ctid >= '(3,0)'::tid AND ctid < '(6,0)'::tid",
                "ctid >= '(6,0)'::tid",
            ]
        );
    }

    #[test]
    fn key_ranges_are_open_at_both_ends_and_never_overflow() {
        let ranges = key_ranges("id", i64::MIN, i64::MAX, 2);
        assert_eq!(ranges, ["id < 0", "id >= 0"]);
        assert!(key_ranges("id", 1, 2, 5).is_empty());
    }
}
