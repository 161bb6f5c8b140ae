//! Compares one table: buckets of hashes in one scan a side, then only the rows of buckets that differ.

use std::collections::HashMap;

use atalaya_postgres::{Session, ToSql};

use crate::entries::EntryStream;
use crate::merge::Group;
use crate::moment::Pair;
use crate::outcome::Outcome;
use crate::unit::Unit;
use crate::{Error, Method};

/// A bucket is sized so that looking into one costs less than finding it; more of them would only make the
/// servers' hash tables miss their caches.
const ROWS_A_BUCKET: f64 = 20_000.0;
const BUCKET_BITS_MIN: u32 = 6;
const BUCKET_BITS_MAX: u32 = 16;

/// Compares a table in the snapshots of a pair of sessions; keeps at most `kept_max` differing keys.
pub(crate) async fn compare(pair: &Pair, unit: &Unit, method: Method, kept_max: usize) -> Result<Outcome, Error> {
    let sample = match method {
        Method::Counts => return counts(pair, unit).await,
        Method::Sample(rows) => sample_below(pair, unit, rows).await?,
        Method::Full | Method::Touched { .. } => None,
    };
    let mask = bucket_mask(unit.estimated_rows);
    let (source_sql, target_sql) = (unit.source.buckets(mask, sample), unit.target.buckets(mask, sample));
    let (source, target) =
        tokio::try_join!(read_buckets(&pair.source, &source_sql), read_buckets(&pair.target, &target_sql))?;
    let mut outcome = Outcome {
        source_rows: source.values().map(|bucket| bucket.rows).sum(),
        target_rows: target.values().map(|bucket| bucket.rows).sum(),
        ..Outcome::default()
    };
    let dirty = dirty_buckets(&source, &target);
    if dirty.is_empty() {
        return Ok(outcome);
    }
    pair.limit_statements().await?;
    let (source_sql, target_sql) =
        (unit.source.entries(mask, &dirty, sample), unit.target.entries(mask, &dirty, sample));
    merge(pair, (&source_sql, &target_sql), &[], |group| {
        outcome.add(group, kept_max);
    })
    .await?;
    let tally = outcome.tally;
    if outcome.source_rows + tally.extra != outcome.target_rows + tally.missing {
        return Err(Error::Shape { action: "adding up the rows that differ" });
    }
    Ok(outcome)
}

/// Reads entries of both sides (the source's SQL, then the target's) in step and hands over each key's rows.
pub(crate) async fn merge(
    pair: &Pair,
    (source_sql, target_sql): (&str, &str),
    parameters: &[&(dyn ToSql + Sync)],
    mut each: impl FnMut(Group),
) -> Result<(), Error> {
    let (mut source, mut target) = tokio::try_join!(
        EntryStream::open(&pair.source, source_sql, parameters),
        EntryStream::open(&pair.target, target_sql, parameters)
    )?;
    loop {
        let next = match (source.next_key(), target.next_key()) {
            (Some(source), Some(target)) => source.min(target),
            (Some(key), None) | (None, Some(key)) => key,
            (None, None) => break,
        };
        let mut group = Group::new(next);
        while let Some(entry) = source.take(next).await? {
            group.add_source(entry);
        }
        while let Some(entry) = target.take(next).await? {
            group.add_target(entry);
        }
        each(group);
    }
    source.close().await?;
    target.close().await
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Bucket {
    rows: u64,
    sum: i128,
}

async fn read_buckets(session: &Session, sql: &str) -> Result<HashMap<i64, Bucket>, Error> {
    let mut buckets = HashMap::new();
    for row in session.query(sql, &[]).await? {
        let shape = Error::Shape { action: "reading hashes" };
        let (Ok(rows), Ok(sum)) = (u64::try_from(row.get::<_, i64>(1)), row.get::<_, String>(2).parse()) else {
            return Err(shape);
        };
        buckets.insert(row.get(0), Bucket { rows, sum });
    }
    Ok(buckets)
}

fn dirty_buckets(source: &HashMap<i64, Bucket>, target: &HashMap<i64, Bucket>) -> Vec<i64> {
    let mut dirty: Vec<i64> = source
        .iter()
        .filter(|(number, bucket)| target.get(number) != Some(bucket))
        .map(|(number, _)| *number)
        .chain(target.keys().filter(|number| !source.contains_key(number)).copied())
        .collect();
    dirty.sort_unstable();
    dirty
}

fn bucket_mask(estimated_rows: f64) -> i64 {
    let mut bits = BUCKET_BITS_MIN;
    while bits < BUCKET_BITS_MAX && estimated_rows > ROWS_A_BUCKET * f64::from(1_u32 << bits) {
        bits += 1;
    }
    (1_i64 << bits) - 1
}

async fn counts(pair: &Pair, unit: &Unit) -> Result<Outcome, Error> {
    let (source_sql, target_sql) = (unit.source.count(), unit.target.count());
    let (source_rows, target_rows) =
        tokio::try_join!(count(&pair.source, &source_sql), count(&pair.target, &target_sql))?;
    let mut outcome = Outcome { source_rows, target_rows, ..Outcome::default() };
    outcome.tally.missing = source_rows.saturating_sub(target_rows);
    outcome.tally.extra = target_rows.saturating_sub(source_rows);
    outcome.cut = !outcome.tally.is_zero();
    Ok(outcome)
}

async fn count(session: &Session, sql: &str) -> Result<u64, Error> {
    let rows: i64 = session.query_one(sql, &[]).await?.get(0);
    u64::try_from(rows).map_err(|_| Error::Shape { action: "counting rows" })
}

/// Below which (63-bit) hash a row belongs to the sample; `None` when that is every row.
async fn sample_below(pair: &Pair, unit: &Unit, wanted: u64) -> Result<Option<i64>, Error> {
    let mut rows = unit.estimated_rows;
    if rows < 1.0 {
        // Never analyzed.
        #[expect(clippy::cast_precision_loss, reason = "an estimate of a fraction")]
        let counted = count(&pair.source, &unit.source.count()).await? as f64;
        rows = counted;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate of a fraction; a cast from float saturates"
    )]
    let below = (wanted as f64 / rows.max(1.0) * i64::MAX as f64) as i64;
    Ok((below < i64::MAX).then_some(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_with_the_table_within_their_bounds() {
        assert_eq!(bucket_mask(0.0), 63);
        assert_eq!(bucket_mask(5e6), 255);
        assert_eq!(bucket_mask(1e12), 65535);
    }
}
