//! The fast way: changes of one key put together, one statement for many rows. What it cannot say true is left to the order
//! in which the source made its changes.

use std::collections::HashMap;
use std::sync::Arc;

use atalaya_pgwire::pgoutput::Tuple;

use super::fold::{Net, fold};
use super::group::Applier;
use super::look::{expected, look};
use super::ordered::{self, Stopped};
use super::prepared::{StatementKey, execute_columns, insert_rows};
use super::{Change, TargetTable, multiset};
use crate::Error;
use crate::conflict::Policy;

impl Applier {
    /// Tries the fast way; false when the part must be rolled back and applied in order.
    pub(super) async fn write_folded(&mut self, part: &[Change]) -> Result<bool, Error> {
        let mut order: Vec<&Arc<TargetTable>> = Vec::new();
        let mut by_table: HashMap<u32, Vec<&Change>> = HashMap::new();
        for change in part {
            let changes = by_table.entry(change.table.source_oid).or_default();
            if changes.is_empty() {
                order.push(&change.table);
            }
            changes.push(change);
        }
        for table in order {
            let changes = by_table.get(&table.source_oid).map(Vec::as_slice).unwrap_or_default();
            let written = if table.policy != Policy::Stop {
                self.write_looking(table, changes).await
            } else if table.keyless {
                match multiset::add_up(changes.iter().copied()) {
                    Some(copies) => ordered::apply_copies(&self.session, &mut self.statements, table, &copies).await,
                    None => Ok(false),
                }
            } else if table.is_foldable() {
                match fold(table, changes.iter().copied()) {
                    Ok(nets) => self.write_nets(table, &nets).await,
                    // A changed key orders this table's changes, and no other's.
                    Err(_irregular) => self.write_in_order(changes).await,
                }
            } else {
                self.write_in_order(changes).await
            };
            match written {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) if ordered::is_taken(&error) => return Ok(false),
                Err(error) => return Err(error.of_row(&table.name)),
            }
        }
        Ok(true)
    }

    /// The fast way of a table with a policy: nothing is written that somebody else's row would have something against.
    async fn write_looking(&mut self, table: &TargetTable, changes: &[&Change]) -> Result<bool, Error> {
        let nets = table.is_foldable().then(|| fold(table, changes.iter().copied()).ok()).flatten();
        let Some((nets, expected)) = nets.zip(expected(table, changes)) else {
            for change in changes {
                let seen = if table.has_to_look() { self.look_at(change).await? } else { None };
                if seen.is_some_and(|seen| seen.is_conflict(table)) {
                    return Ok(false);
                }
                if !self.write_in_order(&[*change]).await? {
                    return Ok(false);
                }
            }
            return Ok(true);
        };
        let values = self.recorder.values;
        let (session, statements) = (&self.session, &mut self.statements);
        if !expected.absent.is_empty() && !look(session, statements, table, values, &expected.absent).await?.is_empty()
        {
            return Ok(false);
        }
        if table.has_to_look() && !expected.present.is_empty() {
            let seen = look(session, statements, table, values, &expected.present).await?;
            if seen.len() != expected.present.len() || seen.iter().any(|seen| seen.is_conflict(table)) {
                return Ok(false);
            }
        }
        self.write_nets(table, &nets).await
    }

    async fn write_in_order(&mut self, changes: &[&Change]) -> Result<bool, Error> {
        for change in changes {
            match ordered::apply(&self.session, &mut self.statements, change).await {
                Ok(()) => {}
                Err(Stopped::Error(error)) => return Err(error),
                // The whole part is tried again in order, which then reports the conflict.
                Err(Stopped::Conflict(_)) => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn write_nets(&mut self, table: &TargetTable, nets: &[Net]) -> Result<bool, Error> {
        let mut gone = Vec::new();
        let mut come = Vec::new();
        let mut updates: HashMap<Vec<usize>, Vec<&Tuple>> = HashMap::new();
        for net in nets {
            match net {
                Net::Insert(new) => come.push(new),
                Net::Delete(old) => gone.push(old),
                Net::Replace { old, new } => {
                    gone.push(old);
                    come.push(new);
                }
                Net::Update(new) => {
                    let set = ordered::settable(table, new, false);
                    if !set.is_empty() {
                        updates.entry(set).or_default().push(new);
                    }
                }
            }
        }
        if !self.run_many(table, StatementKey::Delete, &gone, &table.identity).await? {
            return Ok(false);
        }
        for (set, rows) in updates {
            let positions: Vec<usize> = table.identity.iter().copied().chain(set.iter().copied()).collect();
            if !self.run_many(table, StatementKey::Update(set), &rows, &positions).await? {
                return Ok(false);
            }
        }
        insert_rows(&self.session, &mut self.statements, table, come.into_iter()).await?;
        Ok(true)
    }

    /// Runs one statement for many rows; false when it did not touch every one.
    async fn run_many(
        &mut self,
        table: &TargetTable,
        key: StatementKey,
        rows: &[&Tuple],
        positions: &[usize],
    ) -> Result<bool, Error> {
        if rows.is_empty() {
            return Ok(true);
        }
        let statement = self.statements.get(&self.session, table, key).await?;
        let touched = execute_columns(&self.session, &statement, rows, positions).await?;
        Ok(usize::try_from(touched).ok() == Some(rows.len()))
    }
}
