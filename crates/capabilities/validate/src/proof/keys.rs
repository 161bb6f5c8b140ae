//! The noted keys of one table, each once.

use std::collections::{BTreeMap, HashSet};

use atalaya_control::touched::{KeyBlock, read_block};
use atalaya_data::{RelationName, quote_literal};
use atalaya_postgres::Session;

use crate::Error;

/// Keys by the columns that they consist of: a table may have got another identity meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct NotedKeys {
    by_columns: BTreeMap<Vec<String>, HashSet<Box<[u8]>>>,
}

impl NotedKeys {
    /// Reads them in the session's snapshot; none when a note cannot be read, and the whole table has to be compared.
    pub(crate) async fn read(session: &Session, migration: &str, table: &RelationName) -> Result<Option<Self>, Error> {
        let mut noted = Self::default();
        let mut readable = true;
        let sql = format!(
            "SELECT keys_count, keys FROM atalaya.touched WHERE migration = {} AND schema = {} AND name = {} ORDER BY id",
            quote_literal(migration),
            quote_literal(&table.schema),
            quote_literal(&table.name)
        );
        session
            .query_each::<Error>(&sql, |row| {
                readable &= noted.add(row.get(0), row.get(1));
                Ok(())
            })
            .await?;
        Ok(readable.then_some(noted))
    }

    /// Adds the keys of a note; false, and nothing is added, when it cannot be read.
    pub(crate) fn add(&mut self, count: i64, block: Option<&[u8]>) -> bool {
        let Some(stored) = block.and_then(read_block) else { return false };
        if usize::try_from(count).ok() != Some(stored.keys.len()) {
            return false;
        }
        let columns = stored.columns.iter().map(|column| (*column).to_owned()).collect();
        self.by_columns.entry(columns).or_default().extend(stored.keys.into_iter().map(Box::from));
        true
    }

    /// Adds one key that is known by these columns.
    pub(crate) fn insert(&mut self, columns: &[String], key: &[u8]) {
        match self.by_columns.get_mut(columns) {
            Some(keys) => _ = keys.insert(Box::from(key)),
            None => _ = self.by_columns.insert(columns.to_vec(), HashSet::from([Box::from(key)])),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_columns.values().map(HashSet::len).sum()
    }

    /// The keys of each set of columns.
    pub(crate) fn sets(&self) -> impl Iterator<Item = (&[String], Vec<&[u8]>)> {
        self.by_columns.iter().map(|(columns, keys)| (columns.as_slice(), keys.iter().map(AsRef::as_ref).collect()))
    }
}

/// Keys that have to be looked at again, as they are stored.
pub(crate) fn block_of(columns: &[String], keys: &[&[u8]]) -> Result<KeyBlock, Error> {
    let mut block =
        KeyBlock::new(columns.iter().map(String::as_str)).ok_or(Error::Shape { action: "noting keys that differ" })?;
    for key in keys {
        block.push(key);
    }
    Ok(block)
}
