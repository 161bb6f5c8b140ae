//! Sequences by their own state, never by the largest value of a column.

use atalaya_data::{RelationName, quote_literal};

use crate::{Error, Session};

/// Sequences asked for or set in one message, however many thousands there are.
const AT_ONCE: usize = 200;

/// Where a sequence stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SequenceState {
    /// Schema and name.
    pub name: RelationName,
    /// The table with the column that owns it.
    pub owner: Option<RelationName>,
    /// Tables that draw from it by a column's default, those that it belongs to left out; a partition's root for the
    /// partition.
    #[serde(skip)]
    pub users: Vec<RelationName>,
    /// Whether it gives out rising values.
    #[serde(skip)]
    pub ascends: bool,
    /// The last value given out, or the first to be given out while `is_called` is false.
    pub last_value: i64,
    /// Whether `last_value` has been given out.
    pub is_called: bool,
}

impl SequenceState {
    /// Whether a choice of tables by name takes the sequence: one that a table owns goes with the table, another one
    /// with every table that draws from it.
    #[must_use]
    pub fn chosen_by(&self, chooses: impl Fn(&RelationName) -> bool) -> bool {
        match &self.owner {
            Some(owner) => chooses(owner),
            None => chooses(&self.name) || self.users.iter().any(chooses),
        }
    }
}

/// Every sequence of the database that is not ours, with `last_value` and `is_called`.
///
/// # Errors
/// The server's: a sequence that the role may not read is one.
pub async fn read_sequences(session: &Session) -> Result<Vec<SequenceState>, Error> {
    let names = session
        .query(
            "WITH users AS (
                 SELECT DISTINCT d.refobjid AS sequence, o.oid, o.relname, o.relnamespace
                   FROM pg_catalog.pg_depend d
                   JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
                   JOIN pg_catalog.pg_class o
                     ON o.oid = coalesce(pg_catalog.pg_partition_root(f.adrelid)::oid, f.adrelid)
                  WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
                    AND d.refclassid = 'pg_catalog.pg_class'::regclass)
             SELECT n.nspname::text, c.relname::text, t.schema, t.name,
                    ARRAY(SELECT s.nspname::text FROM users u JOIN pg_catalog.pg_namespace s ON s.oid = u.relnamespace
                           WHERE u.sequence = c.oid ORDER BY u.oid),
                    ARRAY(SELECT u.relname::text FROM users u WHERE u.sequence = c.oid ORDER BY u.oid),
                    (SELECT q.seqincrement > 0 FROM pg_catalog.pg_sequence q WHERE q.seqrelid = c.oid)
               FROM pg_catalog.pg_class c
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
    let names: Vec<(RelationName, Option<RelationName>, Vec<RelationName>, bool)> = names
        .iter()
        .map(|row| {
            let owner = row.get::<_, Option<String>>(2).zip(row.get::<_, Option<String>>(3));
            let users = row.get::<_, Vec<String>>(4).into_iter().zip(row.get::<_, Vec<String>>(5));
            (
                RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
                owner.map(|(schema, name)| RelationName::new(schema, name)),
                users.map(|(schema, name)| RelationName::new(schema, name)).collect(),
                row.get::<_, Option<bool>>(6).unwrap_or(true),
            )
        })
        .collect();
    let mut states: Vec<SequenceState> = names
        .into_iter()
        .map(|(name, owner, users, ascends)| SequenceState {
            name,
            owner,
            users,
            ascends,
            last_value: 0,
            is_called: false,
        })
        .collect();
    read_sequence_values(session, &mut states).await?;
    Ok(states)
}

/// Reads where sequences stand by now: one statement for each thousand or so, and none of the catalog.
///
/// # Errors
/// The server's, also when one of them is gone.
pub async fn read_sequence_values(session: &Session, states: &mut [SequenceState]) -> Result<(), Error> {
    for chunk in states.chunks_mut(AT_ONCE) {
        let sql: Vec<String> = chunk
            .iter()
            .enumerate()
            .map(|(position, state)| {
                format!("SELECT {position}::int4, last_value, is_called FROM {}", state.name.to_sql())
            })
            .collect();
        for row in session.query(&format!("{} ORDER BY 1", sql.join(" UNION ALL ")), &[]).await? {
            let position = usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX);
            if let Some(state) = chunk.get_mut(position) {
                (state.last_value, state.is_called) = (row.get(1), row.get(2));
            }
        }
    }
    Ok(())
}

/// Puts sequences exactly where others of the same names stand.
///
/// # Errors
/// The server's.
pub async fn set_sequences(session: &Session, states: &[SequenceState]) -> Result<(), Error> {
    let statement = |state: &SequenceState| {
        format!(
            "SELECT pg_catalog.setval({}::regclass, {}, {})",
            quote_literal(&state.name.to_sql()),
            state.last_value,
            state.is_called
        )
    };
    for chunk in states.chunks(AT_ONCE) {
        session.batch(&chunk.iter().map(statement).collect::<Vec<_>>().join("; ")).await?;
    }
    Ok(())
}
