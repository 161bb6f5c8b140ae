//! The notes that a proof at rest has to look at, all of them read at once.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::{Session, Statement};

use super::ahead::Ahead;
use crate::Error;
use crate::proof::NotedKeys;

/// With more keys than these, each table's are read when it is its turn.
const KEYS_MAX: i64 = 50_000;

/// Notes that were looked at before are read without their keys.
const NOTES: &str = "
    SELECT id, schema, name, keys_count,
           CASE WHEN id > $2 AND (SELECT coalesce(sum(keys_count), 0) FROM atalaya.touched
                                   WHERE migration = $1 AND id > $2) <= ($3::int8) THEN keys END
      FROM atalaya.touched WHERE migration = $1";

/// The keys of each table that is noted; none where they have to be read again.
pub(super) struct Noted(HashMap<RelationName, Option<NotedKeys>>);

impl Noted {
    pub(super) async fn prepare(target: &Session) -> Result<Statement, Error> {
        Ok(target.prepare(NOTES).await?)
    }

    /// Reads them in the session's snapshot. What was looked at ahead, and is not noted since, is left out.
    pub(super) async fn read(
        session: &Session,
        statement: &Statement,
        migration: &str,
        ahead: &Ahead,
    ) -> Result<Self, Error> {
        let rows = session.query_prepared(statement, &[&migration, &ahead.floor(), &KEYS_MAX]).await?;
        let mut tables: HashMap<RelationName, Option<NotedKeys>> = HashMap::new();
        for row in &rows {
            let (id, count): (i64, i64) = (row.get(0), row.get(3));
            let name = RelationName::new(row.get::<_, String>(1), row.get::<_, String>(2));
            let open = || ahead.open_of(&name).cloned().or_else(|| Some(NotedKeys::default()));
            let table = tables.entry(name.clone()).or_insert_with(open);
            let is_read = match table {
                Some(_) if id <= ahead.floor() => ahead.has_looked_at(id),
                Some(keys) => keys.add(count, row.get(4)),
                None => true,
            };
            if !is_read {
                *table = None;
            }
        }
        Ok(Self(tables))
    }

    /// What is noted of a table of the target.
    pub(super) fn of(&self, name: &RelationName) -> Option<&NotedKeys> {
        self.0.get(name)?.as_ref()
    }
}
