//! A look ahead: rows that are found equal while clients still write, and need not be compared once both sides are at rest.
//!
//! There is no fence, so a row may differ because its change is on the way, and nothing is taken for a difference. That
//! rows of a key are equal counts, if nobody writes to them any more: then they stay as they were seen. Who says so is the
//! replicator, which first begins to note anew, between two of its transactions: from there on each key that it writes has
//! a note behind the `floor`, the last note from before. A key without one is what it was at that place on both sides, as
//! long as the source was looked at later than all that had been applied by then. The stream is ahead of what the source's
//! snapshots show, hence the wait for every transaction that had begun.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use atalaya_control::touched::write_key;
use atalaya_data::RelationName;
use atalaya_postgres::control::{NotesAnswer, renew_notes};
use atalaya_postgres::{Row, Session};
use tokio::time::Instant;

use super::RestProof;
use super::quick::{BATCH_KEYS, Lookup, parameters, texts};
use crate::Error;
use crate::proof::NotedKeys;

/// More keys than these are left to a pass at a fence.
const KEYS_MAX: i64 = 200_000;
/// How long transactions of the source are waited for, and how often they are looked at.
const SEEN_LIMIT: Duration = Duration::from_millis(500);
const SEEN_EVERY: Duration = Duration::from_millis(2);

const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL jit = off; SET LOCAL enable_seqscan = off";

/// What was looked at so far.
#[derive(Default)]
pub(super) struct Ahead {
    floor: i64,
    looked_at: HashSet<i64>,
    /// Keys of these notes that were not found equal.
    open: HashMap<RelationName, NotedKeys>,
}

/// How many keys were looked at, and how many of them were not found equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookedAhead {
    /// Keys.
    pub keys: usize,
    /// Not equal as yet: they are looked at again.
    pub open: usize,
}

impl Ahead {
    /// Notes up to here count for nothing if they were looked at.
    pub(super) const fn floor(&self) -> i64 {
        self.floor
    }

    pub(super) fn has_looked_at(&self, note: i64) -> bool {
        self.looked_at.contains(&note)
    }

    pub(super) fn open_of(&self, table: &RelationName) -> Option<&NotedKeys> {
        self.open.get(table)
    }
}

impl RestProof {
    /// Looks at rows that were written since the last look, or the last pass at a fence; to be done again as long as that
    /// leaves fewer of them. None where nothing could be looked at: then the pass at rest looks at all of them.
    ///
    /// # Errors
    /// When a connection is lost.
    pub async fn look_ahead(&mut self, limit: Duration) -> Result<Option<LookedAhead>, Error> {
        let until = Instant::now() + limit;
        let floor = "SELECT coalesce(max(id), 0) FROM atalaya.touched WHERE migration = $1";
        let floor: i64 = self.control.query_one(floor, &[&self.migration]).await?.get(0);
        match renew_notes(&mut self.control, &self.migration, limit).await {
            Ok(NotesAnswer::Noted) => {}
            Ok(NotesAnswer::Unanswered(_)) | Err(atalaya_postgres::Error::Timeout { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let (Some(source), Some(target)) = (self.source.first(), self.target.first()) else { return Ok(None) };
        if !until_seen(source, until.min(Instant::now() + SEEN_LIMIT)).await? {
            return Ok(None);
        }
        let left = until.saturating_duration_since(Instant::now()).as_millis().max(1);
        let begin = format!("{BEGIN}; SET LOCAL statement_timeout = {left}");
        tokio::try_join!(source.batch(&begin), target.batch(&begin))?;
        let looked = self.look(floor).await;
        let (Some(source), Some(target)) = (self.source.first(), self.target.first()) else { return Ok(None) };
        tokio::try_join!(source.batch("ROLLBACK"), target.batch("ROLLBACK"))?;
        match looked {
            // What a server says of a table is told by the pass at rest.
            Err(Error::Postgres(error)) if error.sqlstate().is_some() => Ok(None),
            looked => looked,
        }
    }

    /// Everything between the former floor and this one, and what was open there.
    async fn look(&mut self, floor: i64) -> Result<Option<LookedAhead>, Error> {
        let mut ahead = std::mem::take(&mut self.ahead);
        let (Some(source), Some(target)) = (self.source.first(), self.target.first()) else { return Ok(None) };
        let between = "FROM atalaya.touched WHERE migration = $1 AND id > $2 AND id <= $3";
        let sum = format!("SELECT coalesce(sum(keys_count), 0)::int8 {between}");
        let sum: i64 = target.query_one(&sum, &[&self.migration, &ahead.floor, &floor]).await?.get(0);
        if sum > KEYS_MAX {
            return Ok(None);
        }
        let notes = format!("SELECT id, schema, name, keys_count, keys {between}");
        let notes = target.query(&notes, &[&self.migration, &ahead.floor, &floor]).await?;
        for row in &notes {
            let (id, count): (i64, i64) = (row.get(0), row.get(3));
            let name = RelationName::new(row.get::<_, String>(1), row.get::<_, String>(2));
            // One that is of the table as a whole, or cannot be read, stays for the pass at rest.
            if ahead.open.entry(name).or_default().add(count, row.get(4)) {
                ahead.looked_at.insert(id);
            }
        }
        ahead.floor = floor;
        let mut looked = LookedAhead { keys: 0, open: 0 };
        for (number, unit) in self.survey.units.iter().enumerate() {
            let Some(keys) = ahead.open.get_mut(&unit.target_name) else { continue };
            if !self.lookups.prepare((source, target), (number, unit), keys).await? {
                return Ok(None);
            }
            let mut open = NotedKeys::default();
            for (columns, keys) in keys.sets() {
                let lookup = self.lookups.of(number, unit, columns)?;
                for batch in keys.chunks(BATCH_KEYS) {
                    for key in unequal((source, target), lookup, columns.len(), batch).await? {
                        open.insert(columns, key);
                    }
                }
            }
            looked.keys += keys.len();
            looked.open += open.len();
            *keys = open;
        }
        self.ahead = ahead;
        Ok(Some(looked))
    }
}

/// Waits until the source shows whatever had begun there by now; false when that takes too long.
async fn until_seen(source: &Session, until: Instant) -> Result<bool, Error> {
    let number = |row: Row| row.get::<_, String>(0).parse::<u64>().ok();
    let begun = number(source.query_one("SELECT pg_catalog.pg_current_xact_id()::text", &[]).await?);
    loop {
        let sql = "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text";
        let oldest = number(source.query_one(sql, &[]).await?);
        if begun.zip(oldest).is_some_and(|(begun, oldest)| oldest > begun) {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        tokio::time::sleep(SEEN_EVERY).await;
    }
}

/// The keys whose rows are not the same on both sides, as far as it can be told.
async fn unequal<'key>(
    (source, target): (&Session, &Session),
    lookup: &Lookup,
    columns: usize,
    batch: &[&'key [u8]],
) -> Result<Vec<&'key [u8]>, Error> {
    let texts = texts(columns, batch)?;
    let parameters = parameters(&texts);
    let (source, target) = tokio::try_join!(
        source.query_prepared(&lookup.hashes.source, &parameters),
        target.query_prepared(&lookup.hashes.target, &parameters)
    )?;
    let mut rows: HashMap<&[u8], (Vec<i64>, Vec<i64>)> = batch.iter().map(|key| (*key, Default::default())).collect();
    let mut key = Vec::new();
    let sides = source.iter().map(|row| (row, true)).chain(target.iter().map(|row| (row, false)));
    for (row, is_source) in sides {
        let values: Vec<String> = row.get(0);
        let written = write_key(&mut key, values.iter().map(|value| Some(value.as_bytes())));
        // A row that its type takes for equal, under another text: which key it is of, nobody knows.
        let Some(found) = rows.get_mut(key.as_slice()).filter(|_| written) else { return Ok(batch.to_vec()) };
        if is_source { &mut found.0 } else { &mut found.1 }.push(row.get(1));
    }
    let differs = |key: &&&[u8]| {
        rows.get_mut(**key).is_none_or(|(source, target)| {
            source.sort_unstable();
            target.sort_unstable();
            source != target
        })
    };
    Ok(batch.iter().filter(differs).copied().collect())
}
