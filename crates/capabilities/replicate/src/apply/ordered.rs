//! Changes one by one, in the source's order: slow, and the judge of what is a conflict.

use atalaya_postgres::{Session, ToSql};

use super::multiset::{self, Copies};
use super::prepared::{StatementKey, Statements, insert_rows};
use super::value::{TextValue, text_of};
use super::{Change, ChangeKind, TargetTable, look, statements};
use crate::Error;
use crate::conflict::{Conflict, ConflictKind};

/// Why a change could not be applied.
pub(super) enum Stopped {
    /// It met a conflict; the transaction is to be rolled back.
    Conflict(Box<Conflict>),
    /// Something else failed.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Applies one change exactly as it came.
pub(super) async fn apply(session: &Session, statements: &mut Statements, change: &Change) -> Result<(), Stopped> {
    let table = &*change.table;
    let (touched, exists, missing) = match &change.kind {
        _ if table.keyless => {
            (keyless(session, statements, change).await, ConflictKind::InsertExists, ConflictKind::DeleteMissing)
        }
        ChangeKind::Insert(row) => {
            let all: Vec<usize> = (0..table.columns.len()).collect();
            let touched = run(session, statements, table, StatementKey::Insert, &[(row, &all)]).await;
            (touched, ConflictKind::InsertExists, ConflictKind::InsertExists)
        }
        ChangeKind::Update { old, new } => {
            let touched = update(session, statements, change, old.as_ref().unwrap_or(new), new).await;
            (touched, ConflictKind::UpdateExists, ConflictKind::UpdateMissing)
        }
        ChangeKind::Delete(old) => {
            let touched = run(session, statements, table, StatementKey::Delete, &[(old, &table.identity)]).await;
            (touched, ConflictKind::DeleteMissing, ConflictKind::DeleteMissing)
        }
    };
    let conflict = |kind| Stopped::Conflict(Box::new(change.conflict(kind)));
    match touched {
        Ok(1) => Ok(()),
        Ok(_) => Err(conflict(missing)),
        Err(error) if is_taken(&error) => Err(conflict(exists)),
        Err(error) => Err(error.into()),
    }
}

/// Whether the server says that a unique key or an exclusion constraint is taken.
pub(super) fn is_taken(error: &Error) -> bool {
    matches!(error, Error::Postgres(error) if matches!(error.sqlstate(), Some("23505" | "23P01")))
}

pub(super) async fn update(
    session: &Session,
    statements: &mut Statements,
    change: &Change,
    old: &atalaya_pgwire::pgoutput::Tuple,
    new: &atalaya_pgwire::pgoutput::Tuple,
) -> Result<u64, Error> {
    let table = &*change.table;
    let moves = change.moves_identity();
    let set = settable(table, new, moves);
    if set.is_empty() {
        return Ok(1);
    }
    let key = if moves { StatementKey::Move(set.clone()) } else { StatementKey::Update(set.clone()) };
    run(session, statements, table, key, &[(old, &table.identity), (new, &set)]).await
}

/// Columns of a new row that an UPDATE takes: those that travelled, the identity only where it moves.
pub(super) fn settable(table: &TargetTable, new: &atalaya_pgwire::pgoutput::Tuple, moves: bool) -> Vec<usize> {
    let travelled = |position: &usize| {
        new.values.get(*position).is_some_and(|value| *value != atalaya_pgwire::pgoutput::Value::UnchangedToast)
    };
    let positions: Vec<usize> = if moves { (0..table.columns.len()).collect() } else { table.others().collect() };
    positions.into_iter().filter(travelled).collect()
}

/// Runs one statement for one row: arrays of one element, or plain values for a move.
pub(super) async fn run(
    session: &Session,
    statements: &mut Statements,
    table: &TargetTable,
    key: StatementKey,
    parts: &[(&atalaya_pgwire::pgoutput::Tuple, &[usize])],
) -> Result<u64, Error> {
    let values: Vec<Option<TextValue<'_>>> = parts
        .iter()
        .flat_map(|(tuple, positions)| positions.iter().map(|position| text_of(tuple.values.get(*position))))
        .collect();
    let plain = matches!(key, StatementKey::Move(_));
    let statement = statements.get(session, table, key).await?;
    if plain {
        let parameters: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        return Ok(session.execute_prepared(&statement, &parameters).await?);
    }
    let arrays: Vec<[Option<TextValue<'_>>; 1]> = values.into_iter().map(|value| [value]).collect();
    let slices: Vec<&[Option<TextValue<'_>>]> = arrays.iter().map(<[_; 1]>::as_slice).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = slices.iter().map(|slice| slice as _).collect();
    Ok(session.execute_prepared(&statement, &parameters).await?)
}

/// A change of a table without a key: each copy that goes must be there.
async fn keyless(session: &Session, statements: &mut Statements, change: &Change) -> Result<u64, Error> {
    let copies = multiset::add_up(std::iter::once(change)).ok_or(Error::Broken("an old row did not travel whole"))?;
    let touched = apply_copies(session, statements, &change.table, &copies).await?;
    Ok(u64::from(touched))
}

/// Deletes and inserts copies of whole rows; false when one to be deleted is not there.
pub(super) async fn apply_copies(
    session: &Session,
    statements: &mut Statements,
    table: &TargetTable,
    copies: &[Copies],
) -> Result<bool, Error> {
    let gone = copies.iter().filter(|copies| copies.count < 0);
    // NULL is equal to nothing: such a row is not found by the locator.
    let has_place =
        |copies: &&Copies| table.locator.is_some_and(|position| text_of(copies.row.values.get(position)).is_some());
    let (placed, other): (Vec<&Copies>, Vec<&Copies>) = gone.partition(has_place);
    for (rows, located) in [(placed, true), (other, false)] {
        if !delete_copies(session, statements, table, &rows, located).await? {
            return Ok(false);
        }
    }
    let come =
        copies.iter().filter(|copies| copies.count > 0).flat_map(|copies| (0..copies.count).map(move |_| &copies.row));
    insert_rows(session, statements, table, come).await?;
    Ok(true)
}

/// Deletes copies of whole rows; false when one is not there.
async fn delete_copies(
    session: &Session,
    statements: &mut Statements,
    table: &TargetTable,
    gone: &[&Copies],
    located: bool,
) -> Result<bool, Error> {
    if gone.is_empty() {
        return Ok(true);
    }
    let columns: Vec<Vec<Option<TextValue<'_>>>> = (0..table.columns.len())
        .map(|position| gone.iter().map(|copies| text_of(copies.row.values.get(position))).collect())
        .collect();
    let counts: Vec<i64> = gone.iter().map(|copies| -copies.count).collect();
    let numbers: Vec<i64> = (0..).take(gone.len()).collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
    parameters.push(&counts);
    parameters.push(&numbers);
    let statement = statements.get(session, table, StatementKey::DeleteCopies { located }).await?;
    let deleted = session.execute_prepared(&statement, &parameters).await?;
    Ok(i64::try_from(deleted).ok() == Some(counts.iter().sum()))
}

/// The SQL of a statement.
pub(super) fn sql_of(table: &TargetTable, key: &StatementKey) -> String {
    match key {
        StatementKey::Insert => statements::insert(table),
        StatementKey::Update(set) => statements::update(table, set),
        StatementKey::Move(set) => statements::move_one(table, set),
        StatementKey::Delete => statements::delete(table),
        StatementKey::DeleteCopies { located } => statements::delete_copies(table, *located),
        StatementKey::Look(values) => look::sql(table, *values),
    }
}
