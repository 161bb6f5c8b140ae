//! Statements on the target's rows, prepared once a table and kind, and run for many rows at a time.

use std::collections::HashMap;
use std::sync::Arc;

use atalaya_pgwire::pgoutput::Tuple;
use atalaya_postgres::{Session, Statement, ToSql};
use bytes::Bytes;

use super::value::{TextValue, text_of};
use super::{TargetTable, copy_text, ordered, statements};
use crate::Error;
use crate::conflict::Values;

/// From this many rows on COPY beats INSERT, which saves its extra round trips.
const COPY_FROM_ROWS: usize = 24;
/// Prepared statements kept; beyond it all are prepared anew.
const STATEMENTS: usize = 1000;

/// Which statement of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum StatementKey {
    Insert,
    Update(Vec<usize>),
    Move(Vec<usize>),
    Delete,
    /// Of rows that have a value in the locator's column, or of any.
    DeleteCopies {
        located: bool,
    },
    /// What stands under some keys.
    Look(Values),
}

/// Prepared statements by table and kind; bounded.
#[derive(Default)]
pub(super) struct Statements {
    prepared: HashMap<(u32, StatementKey), (Arc<TargetTable>, Statement)>,
}

impl Statements {
    pub(super) async fn get(
        &mut self,
        session: &Session,
        table: &TargetTable,
        key: StatementKey,
    ) -> Result<Statement, Error> {
        let slot = (table.source_oid, key);
        if let Some((prepared_for, statement)) = self.prepared.get(&slot)
            && **prepared_for == *table
        {
            return Ok(statement.clone());
        }
        if self.prepared.len() >= STATEMENTS {
            self.prepared.clear();
        }
        let statement = session.prepare(&ordered::sql_of(table, &slot.1)).await?;
        self.prepared.insert(slot, (Arc::new(table.clone()), statement.clone()));
        Ok(statement)
    }
}

/// Runs a statement over columns of values, one row each.
pub(super) async fn execute_columns(
    session: &Session,
    statement: &Statement,
    rows: &[&Tuple],
    positions: &[usize],
) -> Result<u64, Error> {
    let columns: Vec<Vec<Option<TextValue<'_>>>> =
        positions.iter().map(|position| rows.iter().map(|row| text_of(row.values.get(*position))).collect()).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
    Ok(session.execute_prepared(statement, &parameters).await?)
}

/// Inserts whole rows: COPY for many, one INSERT for few.
pub(super) async fn insert_rows<'a>(
    session: &Session,
    statements: &mut Statements,
    table: &TargetTable,
    rows: impl Iterator<Item = &'a Tuple>,
) -> Result<(), Error> {
    let rows: Vec<&Tuple> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    if rows.len() < COPY_FROM_ROWS {
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let statement = statements.get(session, table, StatementKey::Insert).await?;
        execute_columns(session, &statement, &rows, &all).await?;
        return Ok(());
    }
    let mut data = Vec::new();
    for row in rows {
        if !copy_text::write_row(&mut data, row) {
            return Err(Error::Broken("a new row did not travel whole"));
        }
    }
    session.copy_in(&statements::copy(table), Bytes::from(data)).await?;
    Ok(())
}
