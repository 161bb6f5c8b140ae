//! Compares the rows of given keys, batch by batch, in a pair's snapshots.

use atalaya_control::touched::{KeyBlock, read_key};
use atalaya_postgres::ToSql;

use super::keys::{NotedKeys, block_of};
use crate::Error;
use crate::compare::merge;
use crate::moment::Pair;
use crate::outcome::Outcome;
use crate::unit::Unit;

/// Keys looked up by one statement a side.
const BATCH_KEYS: usize = 2_000;

/// What the comparison of keys has come to.
#[derive(Debug, Default)]
pub(crate) struct KeyedOutcome {
    pub(crate) outcome: Outcome,
    /// How many keys were looked up.
    pub(crate) keys: u64,
    /// The keys of every batch in which a row differs: they stay noted.
    pub(crate) open: Vec<KeyBlock>,
}

/// Compares the rows of the noted keys; none when they do not fit the table, and all of it has to be compared.
pub(crate) async fn compare_keys(
    pair: &Pair,
    unit: &Unit,
    noted: &NotedKeys,
    kept_max: usize,
) -> Result<Option<KeyedOutcome>, Error> {
    let place = |name: &String| unit.columns.iter().position(|column| column == name);
    let sets: Option<Vec<Set<'_>>> = noted
        .sets()
        .map(|(columns, keys)| {
            Some(Set { columns, positions: columns.iter().map(place).collect::<Option<_>>()?, keys })
        })
        .collect();
    let Some(sets) = sets else { return Ok(None) };
    let mut keyed = KeyedOutcome::default();
    pair.prefer_indexes().await?;
    for set in &sets {
        for batch in set.keys.chunks(BATCH_KEYS) {
            compare_batch(pair, unit, set, batch, &mut keyed, kept_max).await?;
        }
    }
    Ok(Some(keyed))
}

/// Keys of one set of columns.
struct Set<'all> {
    columns: &'all [String],
    /// Where the columns stand among the unit's.
    positions: Vec<usize>,
    keys: Vec<&'all [u8]>,
}

async fn compare_batch(
    pair: &Pair,
    unit: &Unit,
    set: &Set<'_>,
    batch: &[&[u8]],
    keyed: &mut KeyedOutcome,
    kept_max: usize,
) -> Result<(), Error> {
    let mut arrays: Vec<Vec<&str>> = set.positions.iter().map(|_| Vec::with_capacity(batch.len())).collect();
    for key in batch {
        let values = read_key(key).filter(|values| values.len() == arrays.len());
        for (array, value) in arrays.iter_mut().zip(values.ok_or(Error::Shape { action: "reading noted keys" })?) {
            array.push(value);
        }
    }
    let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as _).collect();
    pair.limit_statements().await?;
    let source_sql = unit.source.entries_by_key(&set.positions);
    let target_sql = unit.target.entries_by_key(&set.positions);
    let found = &mut keyed.outcome;
    let before = found.tally;
    merge(pair, (&source_sql, &target_sql), &parameters, |group| {
        let (source_rows, target_rows) = group.rows();
        found.source_rows += source_rows;
        found.target_rows += target_rows;
        found.add(group, kept_max);
    })
    .await?;
    if found.tally != before {
        keyed.open.push(block_of(set.columns, batch)?);
    }
    keyed.keys += batch.len() as u64;
    Ok(())
}
