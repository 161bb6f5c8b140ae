//! Sequences by their own state, never by the largest value of a column.

use atalaya_data::{RelationName, quote_literal};

use crate::{Error, Session};

/// Where a sequence stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SequenceState {
    /// Schema and name.
    pub name: RelationName,
    /// The table with the column that owns it.
    pub owner: Option<RelationName>,
    /// The last value given out, or the first to be given out while `is_called` is false.
    pub last_value: i64,
    /// Whether `last_value` has been given out.
    pub is_called: bool,
}

impl SequenceState {
    /// Whether a choice of tables by name takes the sequence: one that a table owns goes with the table.
    #[must_use]
    pub fn chosen_by(&self, chooses: impl Fn(&RelationName) -> bool) -> bool {
        chooses(self.owner.as_ref().unwrap_or(&self.name))
    }
}

/// Every sequence of the database that is not ours, with `last_value` and `is_called`.
///
/// # Errors
/// The server's: a sequence that the role may not read is one.
pub async fn read_sequences(session: &Session) -> Result<Vec<SequenceState>, Error> {
    let names = session
        .query(
            "SELECT n.nspname::text, c.relname::text, t.schema, t.name FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               LEFT JOIN LATERAL (
                   SELECT o.relname::text AS name, s.nspname::text AS schema FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_class o ON o.oid = d.refobjid
                     JOIN pg_catalog.pg_namespace s ON s.oid = o.relnamespace
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
                      AND d.deptype IN ('a', 'i') LIMIT 1) AS t ON true
              WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%'
                AND n.nspname NOT IN ('information_schema', 'atalaya')
              ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\"",
            &[],
        )
        .await?;
    let names: Vec<(RelationName, Option<RelationName>)> = names
        .iter()
        .map(|row| {
            let owner = row.get::<_, Option<String>>(2).zip(row.get::<_, Option<String>>(3));
            (
                RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
                owner.map(|(schema, name)| RelationName::new(schema, name)),
            )
        })
        .collect();
    let mut states = Vec::with_capacity(names.len());
    // One statement for many sequences; bounded, so that thousands of them stay within one message.
    for chunk in names.chunks(200) {
        let sql: Vec<String> = chunk
            .iter()
            .enumerate()
            .map(|(position, (name, _))| {
                format!("SELECT {position}::int4, last_value, is_called FROM {}", name.to_sql())
            })
            .collect();
        for row in session.query(&format!("{} ORDER BY 1", sql.join(" UNION ALL ")), &[]).await? {
            let position = usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX);
            if let Some((name, owner)) = chunk.get(position) {
                let (name, owner) = (name.clone(), owner.clone());
                states.push(SequenceState { name, owner, last_value: row.get(1), is_called: row.get(2) });
            }
        }
    }
    Ok(states)
}

/// Puts a sequence exactly where another one stands.
///
/// # Errors
/// The server's.
pub async fn set_sequence(session: &Session, state: &SequenceState) -> Result<(), Error> {
    let sql = format!(
        "SELECT pg_catalog.setval({}::regclass, {}, {})",
        quote_literal(&state.name.to_sql()),
        state.last_value,
        state.is_called
    );
    session.query_one(&sql, &[]).await.map(|_| ())
}
