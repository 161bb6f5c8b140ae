//! Tables declared to be only inserted into: an UPDATE or DELETE of one cannot be followed, so it must be
//! noticed.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;
use crate::progress::Store;

/// The counts of updates and deletes that append-only tables had when the move began.
pub(crate) struct AppendOnly {
    baseline: HashMap<RelationName, i64>,
}

impl AppendOnly {
    /// Stores the present counts. Before the snapshot is taken: what is updated while tables are copied is in
    /// neither the copy nor the stream. An update shortly before may be counted late and then be taken for one
    /// after it, which errs on the safe side.
    pub(crate) async fn remember(store: &Store<'_>, source: &Session) -> Result<(), Error> {
        let names = declared(store).await?;
        if names.is_empty() {
            return Ok(());
        }
        let now = counts(source).await?;
        let baseline: Vec<(RelationName, i64)> = names
            .into_iter()
            .map(|name| {
                let count = now.get(&name).copied().unwrap_or_default();
                (name, count)
            })
            .collect();
        let json = serde_json::json!({ "append_only": baseline }).to_string();
        store
            .session
            .execute(
                "UPDATE atalaya.migration SET options = options || ($2::text)::jsonb WHERE name = $1",
                &[&store.name, &json],
            )
            .await?;
        Ok(())
    }

    /// Reads the stored counts.
    pub(crate) async fn begin(store: &Store<'_>) -> Result<Self, Error> {
        if declared(store).await?.is_empty() {
            return Ok(Self { baseline: HashMap::new() });
        }
        let row = store
            .session
            .query_one("SELECT (options -> 'append_only')::text FROM atalaya.migration WHERE name = $1", &[&store.name])
            .await?;
        let stored: Option<Vec<(RelationName, i64)>> =
            row.get::<_, Option<String>>(0).and_then(|text| serde_json::from_str(&text).ok());
        let stored = stored.ok_or(Error::Broken("the counts of append-only tables are not stored"))?;
        Ok(Self { baseline: stored.into_iter().collect() })
    }

    /// Stops the run when a count has grown.
    pub(crate) async fn check(&self, source: &Session) -> Result<(), Error> {
        if self.baseline.is_empty() {
            return Ok(());
        }
        let now = counts(source).await?;
        match self.baseline.iter().find(|(name, before)| now.get(*name).is_some_and(|now| now > *before)) {
            None => Ok(()),
            Some((name, _)) => Err(Error::refused(
                "append-only-violated",
                format!("table {name} is declared append-only, but rows of it were updated or deleted on the source"),
                "give the table a replica identity and start the move again with `atalaya migrate abort` first",
            )),
        }
    }
}

async fn declared(store: &Store<'_>) -> Result<Vec<RelationName>, Error> {
    let tables = store.read_tables().await?;
    Ok(tables.into_iter().filter(|table| table.append_only).map(|table| table.source).collect())
}

async fn counts(source: &Session) -> Result<HashMap<RelationName, i64>, Error> {
    let rows = source
        .query("SELECT schemaname::text, relname::text, n_tup_upd + n_tup_del FROM pg_catalog.pg_stat_user_tables", &[])
        .await?;
    Ok(rows
        .iter()
        .map(|row| (RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)), row.get(2)))
        .collect())
}
