//! Choosing and setting replica identities: the one thing of this crate that alters a database, and only
//! when it was asked to, one table a transaction, under a lock timeout.

use std::time::Duration;

use atalaya_catalog::{Generated, Relation};
use atalaya_data::{RelationName, quote_identifier};
use atalaya_postgres::{Retry, Session};

use crate::facts::Side;
use crate::{Error, Facts, Plan, SideName};

/// Each table's lock is asked for this often, then the table is reported as not altered.
const TRIES: u32 = 3;

/// Whether `FULL` may be the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Allowed,
    Never,
}

/// How a table without a usable replica identity can get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Set { sql: String, identity: String },
    None { reason: String },
}

/// A table whose UPDATE and DELETE cannot be followed.
pub(crate) struct Lacking {
    pub(crate) name: RelationName,
    pub(crate) seen: &'static str,
    pub(crate) choice: Choice,
}

/// One table that would get a replica identity.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct IdentityChange {
    /// The table.
    pub table: RelationName,
    /// The exact statement; `None` where no identity is safe, and then `reason` says why.
    pub sql: Option<String>,
    /// What the identity would be, or why there can be none.
    pub reason: String,
}

/// What became of one planned change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct IdentityResult {
    /// The table.
    pub table: RelationName,
    /// Whether the statement was run.
    pub altered: bool,
    /// What was done, or why not.
    pub detail: String,
}

/// Tables that are to move, are not declared append-only and cannot be followed.
pub(crate) async fn lacking(facts: &Facts) -> Result<Vec<Lacking>, Error> {
    let mut found = Vec::new();
    for relation in facts.moving().filter(|relation| !relation.followable && !facts.is_append_only(relation)) {
        let row = facts
            .source
            .query_one(
                "SELECT c.relreplident::text,
                        EXISTS (SELECT FROM pg_catalog.pg_index x
                                 WHERE x.indrelid = c.oid AND x.indisprimary AND NOT x.indimmediate),
                        EXISTS (SELECT FROM pg_catalog.pg_index x
                                 WHERE x.indrelid = c.oid AND x.indisprimary)
                   FROM pg_catalog.pg_class c WHERE c.oid = $1",
                &[&relation.oid],
            )
            .await?;
        let (identity, deferrable, primary): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
        let seen = match (identity.as_str(), deferrable, primary) {
            ("n", ..) => "REPLICA IDENTITY NOTHING: UPDATE and DELETE cannot be followed",
            ("i", ..) => "the index of its replica identity was dropped: UPDATE and DELETE cannot be followed",
            (_, true, _) => {
                "the primary key is deferrable, which identifies no row: UPDATE and DELETE cannot be followed"
            }
            (_, _, true) => "the primary key cannot be used: UPDATE and DELETE cannot be followed",
            _ => "no primary key and no replica identity: UPDATE and DELETE cannot be followed",
        };
        found.push(Lacking {
            name: relation.name.clone(),
            seen,
            choice: choose(&facts.source, relation, Full::Allowed).await?,
        });
    }
    Ok(found)
}

/// The best identity a table can get: its immediate primary key, else its narrowest usable unique index,
/// else FULL where that harms nothing.
pub(crate) async fn choose(side: &Side, relation: &Relation, full: Full) -> Result<Choice, Error> {
    let index = side
        .session
        .query_opt(
            "SELECT i.relname::text, x.indisprimary
               FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
              WHERE x.indrelid = $1 AND x.indisunique AND x.indisvalid AND x.indimmediate
                AND x.indpred IS NULL AND x.indexprs IS NULL
                AND NOT EXISTS (
                    SELECT FROM pg_catalog.unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) AS k(attnum)
                      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
                     WHERE a.attnotnull IS NOT TRUE OR a.attgenerated <> '')
              ORDER BY x.indisprimary DESC, x.indnkeyatts, i.relname LIMIT 1",
            &[&relation.oid],
        )
        .await?;
    let table = relation.name.to_sql();
    if let Some(row) = index {
        let (name, primary): (String, bool) = (row.get(0), row.get(1));
        let identity = if primary { "DEFAULT".to_owned() } else { format!("USING INDEX {}", quote_identifier(&name)) };
        return Ok(Choice::Set { sql: format!("ALTER TABLE {table} REPLICA IDENTITY {identity};"), identity });
    }
    let generated = relation.columns.iter().any(|column| column.generated != Generated::No);
    if full == Full::Never || (generated && side.major() >= 18) {
        // From 18 on FULL with a column that is not published makes the source refuse its own writes.
        return Ok(Choice::None {
            reason: "there is no unique index over NOT NULL columns that are not generated, and FULL would make the source refuse UPDATE and DELETE because of its generated column: add such an index, declare the table append-only, or exclude it".to_owned(),
        });
    }
    Ok(Choice::Set { sql: format!("ALTER TABLE {table} REPLICA IDENTITY FULL;"), identity: "FULL".to_owned() })
}

/// What [`apply_identities`] would do; alters nothing.
///
/// # Errors
/// When a side cannot be read.
pub async fn plan_identities(plan: Plan) -> Result<Vec<IdentityChange>, Error> {
    let facts = Facts::read(plan).await?;
    Ok(lacking(&facts)
        .await?
        .into_iter()
        .map(|table| match table.choice {
            Choice::Set { sql, identity } => IdentityChange { table: table.name, sql: Some(sql), reason: identity },
            Choice::None { reason } => IdentityChange { table: table.name, sql: None, reason },
        })
        .collect())
}

/// Sets the planned identities on the source, each in a transaction of its own that waits for its lock no
/// longer than `lock_timeout`, three times at most. Every table is reported.
///
/// # Errors
/// When the source cannot be reached; a single table's refusal is in its result.
pub async fn apply_identities(
    source: &atalaya_estate::ConnectionUrl,
    changes: &[IdentityChange],
    lock_timeout: Duration,
) -> Result<Vec<IdentityResult>, Error> {
    let session = Session::connect(source, "atalaya assess: replica identity")
        .await
        .map_err(|source| Error::Side { side: SideName::Source, source })?;
    // A lock timeout of 0 would wait for ever, and every writer behind it.
    session
        .batch(&format!(
            "SET lock_timeout = {0}; SET statement_timeout = {1};",
            lock_timeout.as_millis().max(1),
            lock_timeout.as_millis().saturating_mul(2).max(1_000)
        ))
        .await?;
    let mut results = Vec::with_capacity(changes.len());
    for change in changes {
        results.push(apply_one(&session, change).await?);
    }
    Ok(results)
}

async fn apply_one(session: &Session, change: &IdentityChange) -> Result<IdentityResult, Error> {
    let result = |altered, detail: String| IdentityResult { table: change.table.clone(), altered, detail };
    let Some(sql) = &change.sql else {
        return Ok(result(false, change.reason.clone()));
    };
    let mut tries = 1;
    loop {
        match session.batch(sql).await {
            Ok(()) => return Ok(result(true, sql.clone())),
            Err(error) if error.retry() == Retry::Transaction && tries < TRIES => tries += 1,
            Err(error @ atalaya_postgres::Error::Lost { .. }) => return Err(error.into()),
            Err(error) => {
                return Ok(result(false, format!("not altered after {tries} tries: {}", atalaya_data::chain(&error))));
            }
        }
    }
}
