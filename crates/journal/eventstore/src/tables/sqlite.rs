//! Tables in a file.

use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::value::from_sqlite;
use super::{Database, Dialect, Ran, Row, Statement, TablesError};
use crate::Error;
use crate::backend::sqlite::{Workers, failed, held, open_connection, prepare_file};

const LOCK_LIMIT: Duration = Duration::from_secs(30);

pub(super) struct Sqlite {
    worker: Workers,
}

/// How a transaction went, or which statement was refused.
type Run = Result<Ran, (usize, Error)>;

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let opening = move || {
            prepare_file(&path)?;
            Ok(Self { worker: Workers::start("tables", vec![open_connection(&path, LOCK_LIMIT)?])? })
        };
        tokio::task::spawn_blocking(opening).await.map_err(|_| Error::Closed)?
    }
}

impl Database for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn run(&self, statements: Vec<Statement>) -> BoxFuture<'_, Result<Ran, TablesError>> {
        async move {
            let run = self.worker.run(move |connection| run(connection, &statements)).await?;
            run.map_err(|(statement, source)| TablesError::Refused { statement, source: Box::new(source) })
        }
        .boxed()
    }

    fn query(&self, statement: Statement) -> BoxFuture<'_, Result<Vec<Row>, TablesError>> {
        async move { Ok(self.worker.run(move |connection| query(connection, &statement)).await?) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.worker.stop().boxed()
    }
}

fn run(connection: &mut Connection, statements: &[Statement]) -> Result<Run, Error> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(held("beginning to write tables", LOCK_LIMIT))?;
    let mut touched = Vec::with_capacity(statements.len());
    for (number, statement) in statements.iter().enumerate() {
        let rows = match execute(&transaction, statement) {
            Ok(rows) => rows,
            Err(error) if is_refusal(&error) => return Ok(Err((number, error))),
            Err(error) => return Err(error),
        };
        if statement.expected.is_some_and(|expected| expected != rows) {
            return Ok(Ok(Ran::Unexpected { statement: number, touched: rows }));
        }
        touched.push(rows);
    }
    transaction.commit().map_err(held("committing tables", LOCK_LIMIT))?;
    Ok(Ok(Ran::Committed(touched)))
}

/// Whether the statement is to blame, or what it writes; otherwise it is the file's or the machine's state.
fn is_refusal(error: &Error) -> bool {
    let Error::Sqlite { source, .. } = error else { return false };
    match source.sqlite_error_code() {
        None => true,
        Some(code) => matches!(
            code,
            ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::ParameterOutOfRange
                // SQLITE_ERROR: what the statement says cannot be.
                | ErrorCode::Unknown
        ),
    }
}

fn execute(connection: &Connection, statement: &Statement) -> Result<u64, Error> {
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(failed("reading a statement"))?;
    bind(&mut prepared, statement)?;
    // Some statements answer with rows, which nobody asked for.
    let mut rows = prepared.raw_query();
    while rows.next().map_err(held("writing tables", LOCK_LIMIT))?.is_some() {}
    drop(rows);
    Ok(if prepared.readonly() { 0 } else { connection.changes() })
}

fn query(connection: &mut Connection, statement: &Statement) -> Result<Vec<Row>, Error> {
    let reading = "reading tables";
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(failed(reading))?;
    bind(&mut prepared, statement)?;
    let columns = prepared.column_count();
    let mut rows = prepared.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(held(reading, LOCK_LIMIT))? {
        let values = (0..columns).map(|column| row.get_ref(column).map(from_sqlite)).collect::<Result<Row, _>>();
        found.push(values.map_err(failed(reading))?);
    }
    Ok(found)
}

/// Parameters go by their names, since SQLite numbers them in the order in which they come.
fn bind(prepared: &mut rusqlite::Statement<'_>, statement: &Statement) -> Result<(), Error> {
    let binding = "binding a statement's parameters";
    for (number, value) in statement.values.iter().enumerate() {
        let name = format!("${}", number + 1);
        if let Some(place) = prepared.parameter_index(&name).map_err(failed(binding))? {
            prepared.raw_bind_parameter(place, value).map_err(failed(binding))?;
        }
    }
    Ok(())
}
