//! All notes of a run: read where a run or a fence begins, written with the changes.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::{Session, Statement};

use super::table::{Seeds, TableNotes, Whole};
use crate::Error;
use crate::apply::{Change, TargetTable};

/// Keys that may wait to be written; bounds memory within a large transaction.
const PENDING_MAX: u64 = 50_000;
/// Keys whose hashes are kept, of all tables; beyond it a table is noted as a whole.
const KEYS_IN_MEMORY_MAX: usize = 1_000_000;

const INSERT: &str = "INSERT INTO atalaya.touched (migration, schema, name, keys_count, keys)
    SELECT $1, t.* FROM unnest($2::text[], $3::text[], $4::int8[], $5::bytea[]) AS t";

/// The notes of every table that is proven.
pub(crate) struct Notes {
    migration: String,
    tables: Vec<TableNotes>,
    by_name: HashMap<RelationName, usize>,
    by_source: HashMap<u32, Option<usize>>,
    /// Tables with something to be written.
    dirty: Vec<usize>,
    /// Tables with something written in the open transaction.
    written: Vec<usize>,
    pending: u64,
    seeds: Seeds,
    scratch: Vec<u8>,
    insert: Option<Statement>,
}

impl Notes {
    /// Reads which tables are noted, and how much of them is.
    pub(crate) async fn read(session: &Session, migration: &str) -> Result<Self, Error> {
        let mut notes = Self {
            migration: migration.to_owned(),
            tables: Vec::new(),
            by_name: HashMap::new(),
            by_source: HashMap::new(),
            dirty: Vec::new(),
            written: Vec::new(),
            pending: 0,
            seeds: Seeds::default(),
            scratch: Vec::new(),
            insert: None,
        };
        notes.renew(session).await?;
        Ok(notes)
    }

    /// Reads them again, between two transactions. At a fence a proof takes its snapshot: what is written later has
    /// to be noted again, whether or not it was noted before, and a table that was noted as a whole, too. A proof that
    /// is under way removes every note before its fence, at whatever time it comes to an end.
    pub(crate) async fn renew(&mut self, session: &Session) -> Result<(), Error> {
        let rows = session
            .query(
                "SELECT p.schema, p.name, p.keys_max, coalesce(sum(t.keys_count), 0)::int8
                   FROM atalaya.proof_tables p
                   LEFT JOIN atalaya.touched t USING (migration, schema, name)
                  WHERE p.migration = $1 GROUP BY p.schema, p.name, p.keys_max",
                &[&self.migration],
            )
            .await?;
        let number = |value: i64| u64::try_from(value).unwrap_or_default();
        self.tables = rows
            .iter()
            .map(|row| {
                let name = RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1));
                TableNotes::new(name, number(row.get(2)), number(row.get(3)))
            })
            .collect();
        self.by_name = self.tables.iter().enumerate().map(|(place, table)| (table.name.clone(), place)).collect();
        self.by_source.clear();
        self.dirty.clear();
        self.written.clear();
        self.pending = 0;
        Ok(())
    }

    /// Notes what changes touch.
    pub(crate) fn take(&mut self, changes: &[Change]) {
        if self.tables.is_empty() {
            return;
        }
        for change in changes {
            let Some(place) = self.place_of(&change.table) else { continue };
            let (seeds, scratch) = (&self.seeds, &mut self.scratch);
            note(&mut self.tables, place, &mut self.dirty, &mut self.pending, |table| {
                table.take(change, seeds, scratch);
            });
        }
    }

    /// Notes tables as a whole: what they held is gone.
    pub(crate) fn take_whole<'a>(&mut self, tables: impl Iterator<Item = &'a RelationName>) {
        for name in tables {
            if let Some(place) = self.by_name.get(name) {
                note(&mut self.tables, *place, &mut self.dirty, &mut self.pending, TableNotes::want_whole);
            }
        }
    }

    /// Notes rows of a table by their values in these columns.
    pub(crate) fn take_keys(&mut self, name: &RelationName, columns: &[&str], keys: &[Vec<Option<String>>]) {
        let Some(place) = self.by_name.get(name) else { return };
        let (seeds, scratch) = (&self.seeds, &mut self.scratch);
        note(&mut self.tables, *place, &mut self.dirty, &mut self.pending, |table| {
            table.set_columns(columns.iter().copied());
            for key in keys {
                table.take_values(key.iter().map(|value| value.as_deref().map(str::as_bytes)), seeds, scratch);
            }
        });
    }

    /// A transaction of the target begins: what an earlier one wrote is there only if it was committed.
    pub(crate) fn begin(&mut self) {
        for place in self.written.drain(..) {
            let Some(table) = self.tables.get_mut(place) else { continue };
            table.rolled_back();
            if table.whole == Whole::Wanted && !self.dirty.contains(&place) {
                self.dirty.push(place);
            }
        }
    }

    /// Whether so much waits that it has to be written before the transaction's end.
    pub(crate) fn is_full(&self) -> bool {
        self.pending >= PENDING_MAX
    }

    /// Writes what waits, within the open transaction; false when there is nothing.
    pub(crate) async fn write(&mut self, session: &Session) -> Result<bool, Error> {
        if self.dirty.is_empty() {
            return Ok(false);
        }
        let dirty = std::mem::take(&mut self.dirty);
        let mut in_memory: usize = self.tables.iter().map(TableNotes::keys_in_memory).sum();
        for place in &dirty {
            let Some(table) = self.tables.get_mut(*place) else { continue };
            let pending = table.keys_pending();
            if table.whole == Whole::No && table.stored + pending > table.keys_max {
                table.stored = stored_keys(session, &self.migration, &table.name).await?;
            }
            let too_many = table.stored + pending > table.keys_max || in_memory > KEYS_IN_MEMORY_MAX;
            if table.whole == Whole::No && too_many {
                in_memory -= table.keys_in_memory();
                table.want_whole();
            }
        }
        self.insert(session, &dirty).await?;
        for place in &dirty {
            if let Some(table) = self.tables.get_mut(*place) {
                table.wrote();
            }
        }
        self.written.extend(dirty);
        self.pending = 0;
        Ok(true)
    }

    async fn insert(&mut self, session: &Session, dirty: &[usize]) -> Result<(), Error> {
        let mut schemas = Vec::new();
        let mut names = Vec::new();
        let mut counts: Vec<i64> = Vec::new();
        let mut blocks: Vec<Option<&[u8]>> = Vec::new();
        for table in dirty.iter().filter_map(|place| self.tables.get(*place)) {
            let whole = (table.whole == Whole::Wanted).then_some((0, None));
            let keys = table.blocks.iter().filter(|block| block.keys() > 0);
            for (count, block) in whole.into_iter().chain(keys.map(|block| (block.keys(), Some(block.bytes())))) {
                schemas.push(table.name.schema.as_str());
                names.push(table.name.name.as_str());
                counts.push(i64::try_from(count).unwrap_or(i64::MAX));
                blocks.push(block);
            }
        }
        let statement = match &self.insert {
            Some(statement) => statement,
            None => self.insert.insert(session.prepare(INSERT).await?),
        };
        session.execute_prepared(statement, &[&self.migration, &schemas, &names, &counts, &blocks]).await?;
        Ok(())
    }

    /// The open transaction is committed.
    pub(crate) fn committed(&mut self) {
        for place in self.written.drain(..) {
            if let Some(table) = self.tables.get_mut(place) {
                table.committed();
            }
        }
    }

    fn place_of(&mut self, table: &TargetTable) -> Option<usize> {
        *self.by_source.entry(table.source_oid).or_insert_with(|| self.by_name.get(&table.name).copied())
    }
}

/// Lets one table note something, and keeps the sums.
fn note(
    tables: &mut [TableNotes],
    place: usize,
    dirty: &mut Vec<usize>,
    pending: &mut u64,
    deed: impl FnOnce(&mut TableNotes),
) {
    let Some(table) = tables.get_mut(place) else { return };
    let before = table.keys_pending();
    let was_pending = table.is_pending();
    deed(table);
    *pending = (*pending + table.keys_pending()).saturating_sub(before);
    if table.is_pending() && !was_pending {
        dirty.push(place);
    }
}

/// How many keys of a table are noted: a proof may have removed some since this run counted them.
async fn stored_keys(session: &Session, migration: &str, name: &RelationName) -> Result<u64, Error> {
    let row = session
        .query_one(
            "SELECT coalesce(sum(keys_count), 0)::int8 FROM atalaya.touched
              WHERE migration = $1 AND schema = $2 AND name = $3",
            &[&migration, &name.schema, &name.name],
        )
        .await?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}
