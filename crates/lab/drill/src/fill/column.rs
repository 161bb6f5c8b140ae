//! What each column of a table is filled with.

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use super::catalog::{Column, Table};
use super::values::{Types, Wish, random};
use super::{candidates, values};
use crate::Error;

/// Of so many rows, one has NULL where it may.
const NULL_EVERY: u32 = 11;

/// Where a column's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The server makes it.
    Server,
    /// An expression of `s.n`.
    Expression(String),
    /// Nothing is known that it takes.
    Unknown,
}

/// A table with what fills it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) table: Table,
    /// One for each column.
    pub(crate) sources: Vec<Source>,
}

impl Plan {
    /// A column's expression.
    pub(crate) fn expression(&self, column: &str) -> Option<&str> {
        self.table.columns.iter().zip(&self.sources).find_map(|(found, source)| match source {
            Source::Expression(expression) if found.name == column => Some(expression.as_str()),
            _ => None,
        })
    }
}

/// A number of a column's own, the same for the same seed.
pub(super) fn salt(table: &RelationName, column: &str, seed: u64) -> i64 {
    // FNV-1a, which stays the same whatever the compiler.
    let bytes = table.schema.bytes().chain([0]).chain(table.name.bytes()).chain([0]).chain(column.bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    i64::try_from(hash >> 2).unwrap_or_default()
}

/// Finds out what fills each column.
pub(crate) async fn plan_table(session: &Session, types: &Types, table: Table, seed: u64) -> Result<Plan, Error> {
    let mut sources = Vec::new();
    for column in &table.columns {
        sources.push(source(session, types, &table, column, seed).await?);
    }
    Ok(Plan { table, sources })
}

async fn source(session: &Session, types: &Types, table: &Table, column: &Column, seed: u64) -> Result<Source, Error> {
    if column.is_servers {
        return Ok(Source::Server);
    }
    let salt = salt(&table.name, &column.name, seed);
    let wish = if column.is_unique { Wish::Unique } else { Wish::Any };
    let made = types.value(column.type_oid, column.typmod, salt, wish);
    let bounds = [column.bounds.clone(), types.checks(column.type_oid)].concat();
    let mut guesses = if bounds.is_empty() {
        Vec::new()
    } else {
        candidates::accepted(session, &column.type_sql, &bounds, types.is_text(column.type_oid)).await?
    };
    if made.is_none() {
        guesses.extend(candidates::probed(session, &column.type_sql).await?);
    }
    let made = made.map(|value| format!("CAST({value} AS {})", column.type_sql));
    let guess = (!guesses.is_empty()).then(|| {
        let number = if wish == Wish::Unique { values::row_number() } else { random(salt.wrapping_add(101)) };
        let list = guesses.join(", ");
        format!(
            "CAST((ARRAY[{list}]::pg_catalog.text[])[(1 + {number} % {})::int4] AS {})",
            guesses.len(),
            column.type_sql
        )
    });
    let value = match (made, guess) {
        (Some(made), None) => made,
        (None, Some(guess)) => guess,
        // Rows try one and the other; what a check refuses is not kept.
        (Some(made), Some(guess)) => {
            format!(
                "CASE {} % 3 WHEN 0 THEN {guess} WHEN 1 THEN {made} ELSE {guess} END",
                random(salt.wrapping_add(102))
            )
        }
        (None, None) if column.is_not_null => return Ok(Source::Unknown),
        (None, None) => "NULL".to_owned(),
    };
    if column.is_not_null || column.is_unique {
        return Ok(Source::Expression(value));
    }
    let dice = random(salt.wrapping_add(103));
    Ok(Source::Expression(format!("CASE WHEN {dice} % {NULL_EVERY} = 0 THEN NULL ELSE {value} END")))
}
