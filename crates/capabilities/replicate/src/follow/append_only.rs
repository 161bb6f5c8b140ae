//! Tables declared to be only inserted into: an UPDATE or DELETE of one cannot be followed, so it must be
//! noticed.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;
use crate::progress::Store;

/// The counts of updates and deletes that append-only tables had before the slot was made.
pub(crate) struct AppendOnly {
    baseline: HashMap<RelationName, i64>,
}

/// Writes down counts that were read before the slot was made: whatever is updated later is seen against them.
pub(crate) async fn store_counts(store: &Store<'_>, now: &HashMap<RelationName, i64>) -> Result<(), Error> {
    let baseline: Vec<(RelationName, i64)> = store
        .read_tables()
        .await?
        .into_iter()
        .filter(|table| table.append_only)
        .map(|table| (table.source.clone(), now.get(&table.source).copied().unwrap_or_default()))
        .collect();
    write(store, &baseline).await
}

async fn write(store: &Store<'_>, baseline: &[(RelationName, i64)]) -> Result<(), Error> {
    store.merge_options(&serde_json::json!({ "append_only": baseline })).await
}

impl AppendOnly {
    /// Reads the stored counts.
    pub(crate) async fn read(store: &Store<'_>) -> Result<Self, Error> {
        let row = store
            .session
            .query_one("SELECT (options -> 'append_only')::text FROM atalaya.migration WHERE name = $1", &[&store.name])
            .await?;
        let stored: Option<String> = row.get(0);
        let baseline: Option<Vec<(RelationName, i64)>> = stored.and_then(|text| serde_json::from_str(&text).ok());
        match baseline {
            Some(baseline) => Ok(Self { baseline: baseline.into_iter().collect() }),
            None => Err(Error::Broken("the counts of append-only tables are missing or cannot be read")),
        }
    }

    /// Stops the run when a count has grown. True when the source has lost its counts, as after a crash: they are
    /// taken anew, and what was updated in between is left to the proof.
    pub(crate) async fn check(&mut self, source: &Session, store: &Store<'_>) -> Result<bool, Error> {
        if self.baseline.is_empty() {
            return Ok(false);
        }
        let now = counts(source).await?;
        let mut lost = false;
        for (name, before) in &mut self.baseline {
            let count = now.get(name).copied().unwrap_or_default();
            if count > *before {
                return Err(Error::refused(
                    "append-only-violated",
                    format!(
                        "table {name} is declared append-only, but rows of it were updated or deleted on the source"
                    ),
                    "give the table a replica identity, then `atalaya migrate abort` and move again",
                ));
            }
            lost |= count < *before;
            *before = count;
        }
        if lost {
            let baseline: Vec<_> = self.baseline.iter().map(|(name, count)| (name.clone(), *count)).collect();
            write(store, &baseline).await?;
        }
        Ok(lost)
    }
}

/// Updates and deletes of each table that the source has counted.
pub(crate) async fn counts(source: &Session) -> Result<HashMap<RelationName, i64>, Error> {
    let rows = source
        .query("SELECT schemaname::text, relname::text, n_tup_upd + n_tup_del FROM pg_catalog.pg_stat_user_tables", &[])
        .await?;
    Ok(rows
        .iter()
        .map(|row| (RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)), row.get(2)))
        .collect())
}
