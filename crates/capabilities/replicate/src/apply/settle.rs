//! One change of a table with a policy, where somebody else's row is in the way: which row wins, and what that does to
//! the target.
//!
//! Every try is a savepoint, since another writer may come between what is seen and what is done; the number of tries is
//! limited. Nothing here ends the transaction: a conflict is settled in the one that holds the group's position.

use std::collections::VecDeque;

use atalaya_pgwire::pgoutput::Tuple;
use atalaya_postgres::Session;

use super::group::Applier;
use super::look::{Contender, Question, Seen, look, whole};
use super::ordered::{self, Stopped};
use super::prepared::{StatementKey, insert_rows};
use super::{Change, ChangeKind, TargetTable, taken};
use crate::Error;
use crate::conflict::{Conflict, ConflictKind, Policy, Resolution};

/// Tries of one change, with another writer coming between each time.
const TRIES: usize = 20;
/// Rows that may be read again from the source for one change.
const READ_AGAIN: usize = 100;

/// Whether the row that is there stands against the one that comes.
pub(super) fn target_wins(policy: &Policy, newer: bool) -> bool {
    match policy {
        Policy::TargetWins => true,
        Policy::LatestWins { .. } => newer,
        Policy::Stop | Policy::SourceWins => false,
    }
}

/// Whether the change's new row may still be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewRow {
    /// Nothing stands against it so far.
    Comes,
    /// A row with its key, or with another unique value of it, wins.
    Loses,
}

/// What the savepoint of a change has come to.
struct Settling<'a> {
    change: &'a Change,
    /// Conflicts that are settled by it.
    notes: Vec<Conflict>,
    /// Keys of rows that had to go, and that the source may have.
    displaced: VecDeque<Tuple>,
}

impl Applier {
    /// Applies one change by its table's policy; conflicts are noted for the group.
    pub(super) async fn settle(&mut self, change: &Change) -> Result<(), Stopped> {
        let mut settling = Settling { change, notes: Vec::new(), displaced: VecDeque::new() };
        self.settle_one(change, &mut settling).await?;
        let mut again = 0;
        // What was removed to make room may be a row of the source's that somebody had changed.
        while let Some(key) = settling.displaced.pop_front() {
            again += 1;
            if again > READ_AGAIN || change.table.sources > 1 {
                return Err(Stopped::Conflict(Box::new(change.conflict(ConflictKind::UniqueTaken))));
            }
            if let Some(row) = self.read_source(&change.table, &key).await? {
                let inserted = Change { kind: ChangeKind::Insert(row), ..change.clone() };
                self.foreign_keys.take(std::slice::from_ref(&inserted));
                self.settle_one(&inserted, &mut settling).await?;
            }
        }
        if !settling.notes.is_empty() {
            // Somebody else writes to this table: a proof of the stream's own keys would not see all of it.
            self.notes.take_whole(std::iter::once(&change.table.name));
            self.failpoints.reach("conflict-settled");
        }
        for note in settling.notes {
            self.recorder.add(note);
        }
        Ok(())
    }

    async fn settle_one(&mut self, change: &Change, settling: &mut Settling<'_>) -> Result<(), Stopped> {
        let mut new_row = NewRow::Comes;
        for _ in 0..TRIES {
            self.session.batch("SAVEPOINT change").await?;
            match self.pass(change, new_row).await {
                Ok(note) => {
                    self.session.batch("RELEASE SAVEPOINT change").await?;
                    settling.notes.extend(note);
                    return Ok(());
                }
                Err(Stopped::Error(error)) if ordered::is_taken(&error) => {
                    self.session.batch("ROLLBACK TO SAVEPOINT change; RELEASE SAVEPOINT change").await?;
                    new_row = self.make_room(change, &error, new_row, settling).await?;
                }
                Err(stopped) => return Err(stopped),
            }
        }
        Err(Stopped::Conflict(Box::new(settling.change.conflict(ConflictKind::UniqueTaken))))
    }

    /// One try; answers with the conflict that it settled.
    async fn pass(&mut self, change: &Change, new_row: NewRow) -> Result<Option<Conflict>, Stopped> {
        match &change.kind {
            ChangeKind::Insert(_) if new_row == NewRow::Loses => Ok(None),
            ChangeKind::Insert(row) => self.pass_insert(change, row).await,
            ChangeKind::Update { old, new } => match self.look_at(change).await? {
                Some(seen) => self.pass_update(change, (old.as_ref(), new), seen, new_row).await,
                None => self.pass_update_of_nothing(change, (old.as_ref(), new), new_row).await,
            },
            ChangeKind::Delete(old) => self.pass_delete(change, old).await,
        }
    }

    async fn pass_insert(&mut self, change: &Change, row: &Tuple) -> Result<Option<Conflict>, Stopped> {
        let Some(seen) = self.look_at(change).await? else {
            self.insert(&change.table, row).await?;
            return Ok(None);
        };
        let conflict = change.conflict(ConflictKind::InsertExists).over(seen.row);
        if target_wins(&change.table.policy, seen.newer) {
            return Ok(Some(conflict.ended(Resolution::Target)));
        }
        let set = ordered::settable(&change.table, row, false);
        if !set.is_empty() {
            let parts = [(row, change.table.identity.as_slice()), (row, set.as_slice())];
            let key = StatementKey::Update(set.clone());
            let touched = ordered::run(&self.session, &mut self.statements, &change.table, key, &parts).await?;
            expect_one(touched, &conflict)?;
        }
        Ok(Some(conflict.ended(Resolution::Source)))
    }

    async fn pass_update(
        &mut self,
        change: &Change,
        (old, new): (Option<&Tuple>, &Tuple),
        seen: Seen,
        new_row: NewRow,
    ) -> Result<Option<Conflict>, Stopped> {
        let table = &*change.table;
        let key = old.unwrap_or(new);
        let differs = seen.is_conflict(table);
        let conflict = change.conflict(ConflictKind::UpdateDiffers).over(seen.row);
        if differs && target_wins(&table.policy, seen.newer) {
            return Ok(Some(conflict.ended(Resolution::Target)));
        }
        if new_row == NewRow::Loses {
            // What loses is the row under its new key; under the old one the source has none any more.
            if change.moves_identity() {
                let parts = [(key, table.identity.as_slice())];
                ordered::run(&self.session, &mut self.statements, table, StatementKey::Delete, &parts).await?;
            }
            return Ok(None);
        }
        // Where somebody has changed the row, it becomes the source's as a whole.
        let row = whole(old.filter(|_| differs && table.full), new).unwrap_or_else(|| new.clone());
        let touched = ordered::update(&self.session, &mut self.statements, change, key, &row).await?;
        expect_one(touched, &conflict)?;
        Ok(differs.then(|| conflict.ended(Resolution::Source)))
    }

    async fn pass_update_of_nothing(
        &mut self,
        change: &Change,
        (old, new): (Option<&Tuple>, &Tuple),
        new_row: NewRow,
    ) -> Result<Option<Conflict>, Stopped> {
        let conflict = change.conflict(ConflictKind::UpdateMissing);
        if change.table.policy == Policy::TargetWins || new_row == NewRow::Loses {
            return Ok(Some(conflict.ended(Resolution::Target)));
        }
        let row = match whole(old.filter(|_| change.table.full), new) {
            Some(row) => Some(row),
            // A large value that this change did not bring: only the source has it.
            None if change.table.sources == 1 => self.read_source(&change.table, new).await?,
            None => return Err(Stopped::Conflict(Box::new(conflict))),
        };
        // Gone from the source meanwhile: its DELETE is on its way.
        if let Some(row) = row {
            self.insert(&change.table, &row).await?;
        }
        Ok(Some(conflict.ended(Resolution::Source)))
    }

    async fn pass_delete(&mut self, change: &Change, old: &Tuple) -> Result<Option<Conflict>, Stopped> {
        let table = &*change.table;
        let Some(seen) = self.look_at(change).await? else {
            return Ok(Some(change.conflict(ConflictKind::DeleteMissing).ended(Resolution::Source)));
        };
        let differs = seen.is_conflict(table);
        let conflict = change.conflict(ConflictKind::DeleteDiffers).over(seen.row);
        if differs && target_wins(&table.policy, seen.newer) {
            return Ok(Some(conflict.ended(Resolution::Target)));
        }
        let parts = [(old, table.identity.as_slice())];
        let touched = ordered::run(&self.session, &mut self.statements, table, StatementKey::Delete, &parts).await?;
        expect_one(touched, &conflict)?;
        Ok(differs.then(|| conflict.ended(Resolution::Source)))
    }

    /// The row that a change finds under its key, locked.
    pub(super) async fn look_at(&mut self, change: &Change) -> Result<Option<Seen>, Error> {
        let question = match &change.kind {
            ChangeKind::Insert(row) => Question { identity: row, old: None, contender: Contender::Row(row) },
            ChangeKind::Update { old, new } => {
                let identity = old.as_ref().unwrap_or(new);
                Question { identity, old: old.as_ref(), contender: Contender::Row(new) }
            }
            ChangeKind::Delete(old) => {
                let contender = Contender::Deleted(change.committed_at_micros);
                Question { identity: old, old: Some(old), contender }
            }
        };
        let values = self.recorder.values;
        let seen = look(&self.session, &mut self.statements, &change.table, values, &[question]).await?;
        Ok(seen.into_iter().next())
    }

    /// A unique value of the new row is taken: by the policy, whoever holds it goes, or the new row does not come.
    async fn make_room(
        &mut self,
        change: &Change,
        error: &Error,
        before: NewRow,
        settling: &mut Settling<'_>,
    ) -> Result<NewRow, Stopped> {
        let table = &*change.table;
        let (moves, row) = match &change.kind {
            ChangeKind::Insert(row) => (false, row.clone()),
            ChangeKind::Update { old, new } => {
                let row = whole(old.as_ref().filter(|_| table.full), new);
                (change.moves_identity(), row.unwrap_or_else(|| new.clone()))
            }
            ChangeKind::Delete(_) => {
                return Err(Stopped::Conflict(Box::new(change.conflict(ConflictKind::UniqueTaken))));
            }
        };
        let name = taken::constraint_of(error);
        let named =
            |kind| Conflict { constraint: name.as_ref().map(|(_, name)| name.clone()), ..change.conflict(kind) };
        let stop = || Stopped::Conflict(Box::new(named(ConflictKind::UniqueTaken)));
        let Some((schema, constraint)) = &name else { return Err(stop()) };
        let Some(unique) = taken::read_unique(&self.session, table, schema, constraint).await? else {
            return Err(stop());
        };
        if unique.is_identity(table) && !moves {
            // Somebody was faster with the same key; the next try sees the row.
            return Ok(before);
        }
        let kind = if unique.is_identity(table) { ConflictKind::UpdateExists } else { ConflictKind::UniqueTaken };
        let Some(holder) = taken::find_holder(&self.session, table, &unique, &row, self.recorder.values).await? else {
            return Ok(before);
        };
        let conflict = named(kind).over(holder.row.clone());
        if target_wins(&table.policy, holder.newer) {
            settling.notes.push(conflict.ended(Resolution::Target));
            return Ok(NewRow::Loses);
        }
        taken::remove(&self.session, table, &holder).await?;
        // The row is none of the group's changes, and touched all the same.
        let gone = Change { kind: ChangeKind::Delete(holder.identity.clone()), ..change.clone() };
        self.notes.take(std::slice::from_ref(&gone));
        self.foreign_keys.take_whole(&table.name);
        settling.notes.push(conflict.ended(Resolution::Source));
        if kind == ConflictKind::UniqueTaken {
            settling.displaced.push_back(holder.identity);
        }
        Ok(before)
    }

    async fn insert(&mut self, table: &TargetTable, row: &Tuple) -> Result<(), Error> {
        insert_rows(&self.session, &mut self.statements, table, std::iter::once(row)).await
    }

    /// A row as the source has it now. What the source did to it since comes later, and finds it as if it had been done
    /// already.
    async fn read_source(&mut self, table: &TargetTable, key: &Tuple) -> Result<Option<Tuple>, Error> {
        let session = match &mut self.source {
            Some(session) if !session.is_closed() => session,
            other => {
                let Some(url) = &self.source_url else { return Err(Error::Broken("the source's place is unknown")) };
                let name = format!("atalaya read {}", self.migration);
                other.insert(Session::connect_for_control(url, &name).await?)
            }
        };
        taken::read_row(session, table, key).await
    }
}

/// The row is locked: whatever else keeps it from being changed is not ours to settle.
fn expect_one(touched: u64, conflict: &Conflict) -> Result<(), Stopped> {
    if touched == 1 { Ok(()) } else { Err(Stopped::Conflict(Box::new(conflict.clone()))) }
}
