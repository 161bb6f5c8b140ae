//! TRUNCATE; of tables whose rows may have to stay it is a delete of all rows, which counts with the time of its commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use atalaya_data::Lsn;

use super::TargetTable;
use super::group::Applier;
use super::look::newer_sql;
use crate::Error;
use crate::conflict::{Conflict, ConflictKind, Policy, Resolution};

impl Applier {
    /// Empties tables exactly as listed, after everything before is written.
    pub(crate) async fn truncate(
        &mut self,
        tables: &[Arc<TargetTable>],
        restart_identity: bool,
        at: (Lsn, i64),
    ) -> Result<(), Error> {
        self.flush().await?;
        self.begin().await?;
        for table in tables {
            self.foreign_keys.take_whole(&table.name);
        }
        self.notes.take_whole(tables.iter().map(|table| &table.name));
        if tables.iter().any(|table| matches!(table.policy, Policy::TargetWins | Policy::LatestWins { .. })) {
            return self.truncate_by_policy(tables, at).await;
        }
        let names: BTreeSet<String> = tables.iter().map(|table| table.rows_sql()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let restart = if restart_identity { " RESTART IDENTITY" } else { "" };
        self.add_change();
        self.session.batch(&format!("TRUNCATE {}{restart}", names.join(", "))).await?;
        self.failpoints.reach("apply-truncated");
        Ok(())
    }

    /// Empties tables of which at least one has rows that may win. Under `target-wins` nobody can say which rows these
    /// are, so the run stops; under `latest-wins` it is those with a later time.
    async fn truncate_by_policy(&mut self, tables: &[Arc<TargetTable>], at: (Lsn, i64)) -> Result<(), Error> {
        if let Some(table) = tables.iter().find(|table| table.policy == Policy::TargetWins) {
            let conflict = conflict(table, at);
            return Err(self.stop_at(conflict).await);
        }
        self.add_change();
        let mut done = BTreeSet::new();
        for table in tables.iter().filter(|table| done.insert(table.rows_sql())) {
            let later = later_rows(table, at.1);
            let rows = table.rows_sql();
            match later {
                None => self.session.batch(&format!("DELETE FROM {rows}")).await?,
                Some(later) => {
                    self.session.batch(&format!("DELETE FROM {rows} AS t WHERE NOT {later}")).await?;
                    let left = format!("SELECT EXISTS (SELECT FROM {rows})");
                    if self.session.query_one(&left, &[]).await?.get(0) {
                        self.recorder.add(conflict(table, at).ended(Resolution::Target));
                    }
                }
            }
        }
        self.failpoints.reach("apply-truncated");
        Ok(())
    }
}

fn conflict(table: &TargetTable, at: (Lsn, i64)) -> Conflict {
    let policy = table.policy.word();
    Conflict { policy, ..Conflict::of_table(ConflictKind::TruncateDiffers, table.name.clone(), at) }
}

/// The condition for rows that are later than a commit; none where no row is.
fn later_rows(table: &TargetTable, committed_at_micros: i64) -> Option<String> {
    match table.policy {
        Policy::LatestWins { position, zoned } => {
            let column = table.columns.get(position)?;
            Some(newer_sql(column, zoned, "NULL", &format!("('{committed_at_micros}'::int8)")))
        }
        _ => None,
    }
}
