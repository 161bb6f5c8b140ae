//! Rows of given keys, compared by their number and the sum of their hashes, with statements that are prepared before.
//!
//! That they are equal is told by it; what differs, and how, is looked for elsewhere.

use std::collections::HashMap;

use atalaya_control::touched::read_key;
use atalaya_postgres::{Session, Statement, ToSql};
use futures_util::future::try_join_all;

use crate::Error;
use crate::moment::Pair;
use crate::proof::NotedKeys;
use crate::unit::Unit;

/// Keys looked up by one statement: so few that an index is always the shorter way.
pub(super) const BATCH_KEYS: usize = 250;

/// A statement on each side.
pub(super) struct OnBoth {
    pub(super) source: Statement,
    pub(super) target: Statement,
}

/// How rows of one table are looked up by one set of columns.
pub(super) struct Lookup {
    totals: OnBoth,
    pub(super) hashes: OnBoth,
}

/// Statements by the unit's number and the columns' positions, prepared in one pair of sessions.
#[derive(Default)]
pub(super) struct Lookups(HashMap<(usize, Vec<usize>), Lookup>);

impl Lookups {
    /// Prepares what is missing for these keys; false where the table has other columns.
    pub(super) async fn prepare(
        &mut self,
        (source, target): (&Session, &Session),
        (number, unit): (usize, &Unit),
        keys: &NotedKeys,
    ) -> Result<bool, Error> {
        for (columns, _) in keys.sets() {
            let Some(positions) = positions(unit, columns) else { return Ok(false) };
            if self.0.contains_key(&(number, positions.clone())) {
                continue;
            }
            let (totals_source, totals_target) =
                (unit.source.total_by_key(&positions), unit.target.total_by_key(&positions));
            let (hashes_source, hashes_target) =
                (unit.source.hashes_by_key(&positions), unit.target.hashes_by_key(&positions));
            let (totals_source, totals_target, hashes_source, hashes_target) = tokio::try_join!(
                source.prepare(&totals_source),
                target.prepare(&totals_target),
                source.prepare(&hashes_source),
                target.prepare(&hashes_target)
            )?;
            let totals = OnBoth { source: totals_source, target: totals_target };
            let hashes = OnBoth { source: hashes_source, target: hashes_target };
            self.0.insert((number, positions), Lookup { totals, hashes });
        }
        Ok(true)
    }

    pub(super) fn of(&self, number: usize, unit: &Unit, columns: &[String]) -> Result<&Lookup, Error> {
        let found = positions(unit, columns).and_then(|positions| self.0.get(&(number, positions)));
        found.ok_or(Error::Shape { action: "looking for a prepared statement" })
    }

    /// Compares the rows of all keys of a table, whose statements are prepared: how many rows of the source there were;
    /// none where anything differs. All statements are sent before the first answer is awaited.
    pub(super) async fn compare(
        &self,
        pair: &Pair,
        (number, unit): (usize, &Unit),
        keys: &NotedKeys,
    ) -> Result<Option<u64>, Error> {
        let mut batches = Vec::new();
        for (columns, keys) in keys.sets() {
            let totals = &self.of(number, unit, columns)?.totals;
            for batch in keys.chunks(BATCH_KEYS) {
                batches.push((totals, texts(columns.len(), batch)?));
            }
        }
        let asked = batches.iter().map(|(totals, texts)| async move {
            let (source, target) = tokio::try_join!(
                total(&pair.source, &totals.source, texts),
                total(&pair.target, &totals.target, texts)
            )?;
            Ok::<_, Error>((source == target).then_some(source.0))
        });
        Ok(try_join_all(asked).await?.into_iter().sum())
    }
}

fn positions(unit: &Unit, columns: &[String]) -> Option<Vec<usize>> {
    columns.iter().map(|name| unit.columns.iter().position(|column| column == name)).collect()
}

/// One array of texts a column.
pub(super) fn texts<'key>(columns: usize, keys: &[&'key [u8]]) -> Result<Vec<Vec<&'key str>>, Error> {
    let mut arrays: Vec<Vec<&str>> = (0..columns).map(|_| Vec::with_capacity(keys.len())).collect();
    for key in keys {
        let values = read_key(key).filter(|values| values.len() == columns);
        for (array, value) in arrays.iter_mut().zip(values.ok_or(Error::Shape { action: "reading noted keys" })?) {
            array.push(value);
        }
    }
    Ok(arrays)
}

/// As the statement's parameters.
pub(super) fn parameters<'texts>(texts: &'texts [Vec<&'texts str>]) -> Vec<&'texts (dyn ToSql + Sync)> {
    texts.iter().map(|array| array as &(dyn ToSql + Sync)).collect()
}

async fn total(session: &Session, statement: &Statement, texts: &[Vec<&str>]) -> Result<(u64, String), Error> {
    let shape = Error::Shape { action: "adding up hashes" };
    let rows = session.query_prepared(statement, &parameters(texts)).await?;
    let Some(row) = rows.first() else { return Err(shape) };
    let count = u64::try_from(row.get::<_, i64>(0)).map_err(|_| shape)?;
    Ok((count, row.get(1)))
}
