//! Tables in a database.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Session, ToSql, settings};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::value::from_postgres;
use super::{Database, Dialect, Ran, Row, Statement, TablesError};
use crate::backend::postgres::{failed, held};
use crate::{Error, Position};

const LOCK_LIMIT: Duration = Duration::from_secs(30);
const STATEMENT_LIMIT: Duration = Duration::from_secs(120);

pub(super) struct Postgres {
    url: ConnectionUrl,
    session: Mutex<Option<Session>>,
}

/// How a transaction went, or which statement was refused.
type Run = Result<Ran, (usize, Error)>;

impl Postgres {
    pub(super) async fn open(url: &ConnectionUrl) -> Result<Self, Error> {
        Ok(Self { url: url.clone(), session: Mutex::new(Some(connect(url).await?)) })
    }

    /// Runs something on the session; one that may be broken or within a transaction is not used again.
    async fn with<T>(
        &self,
        work: impl for<'s> AsyncFnOnce(&'s Session) -> Result<(T, bool), Error>,
    ) -> Result<T, Error> {
        let mut held = self.session.lock().await;
        let session = match held.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => connect(&self.url).await?,
        };
        let limit = LOCK_LIMIT + STATEMENT_LIMIT;
        let worked = tokio::time::timeout(limit, work(&session)).await;
        let (answer, clean) = worked.unwrap_or(Err(Error::Slow { action: "writing tables", limit }))?;
        if clean {
            *held = Some(session);
        }
        Ok(answer)
    }
}

async fn connect(url: &ConnectionUrl) -> Result<Session, Error> {
    let connecting = failed("connecting");
    let session = Session::connect(url, "atalaya tables").await.map_err(&connecting)?;
    let sql = format!(
        "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET search_path = public; {}",
        STATEMENT_LIMIT.as_millis(),
        LOCK_LIMIT.as_millis(),
        settings::lock_limit_sql(LOCK_LIMIT)
    );
    session.batch(&sql).await.map_err(&connecting)?;
    Ok(session)
}

impl Database for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn run(&self, statements: Vec<Statement>) -> BoxFuture<'_, Result<Ran, TablesError>> {
        async move {
            let run = self.with(async |session: &Session| run(session, &statements).await).await?;
            run.map_err(|(statement, source)| TablesError::Refused { statement, source: Box::new(source) })
        }
        .boxed()
    }

    fn query(&self, statement: Statement) -> BoxFuture<'_, Result<Vec<Row>, TablesError>> {
        async move { Ok(self.with(async |session: &Session| Ok((query(session, &statement).await?, true))).await?) }
            .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move { drop(self.session.lock().await.take()) }.boxed()
    }
}

async fn run(session: &Session, statements: &[Statement]) -> Result<(Run, bool), Error> {
    session.batch("BEGIN").await.map_err(failed("beginning to write tables"))?;
    let mut touched = Vec::with_capacity(statements.len());
    for (number, statement) in statements.iter().enumerate() {
        let rows = match session.execute(&statement.sql, &parameters(statement)).await {
            Ok(rows) => rows,
            Err(error) => {
                let error = held("writing tables", LOCK_LIMIT)(error);
                if !is_refusal(&error) {
                    return Err(error);
                }
                let clean = session.batch("ROLLBACK").await.is_ok();
                return Ok((Err((number, error)), clean));
            }
        };
        if statement.expected.is_some_and(|expected| expected != rows) {
            let clean = session.batch("ROLLBACK").await.is_ok();
            return Ok((Ok(Ran::Unexpected { statement: number, touched: rows }), clean));
        }
        touched.push(rows);
    }
    session.batch("COMMIT").await.map_err(held("committing tables", LOCK_LIMIT))?;
    Ok((Ok(Ran::Committed(touched)), true))
}

/// Whether the statement is to blame, or what it writes; otherwise it is the server's state, or what the role may do.
fn is_refusal(error: &Error) -> bool {
    let Error::Postgres { source, .. } = error else { return false };
    match source.sqlstate() {
        // Data, constraints, syntax and names, WITH CHECK OPTION, RAISE.
        Some(state) => state != "42501" && ["22", "23", "42", "44", "P0"].iter().any(|class| state.starts_with(class)),
        // A parameter that its type cannot hold.
        None => matches!(**source, atalaya_postgres::Error::Unreadable { .. }),
    }
}

async fn query(session: &Session, statement: &Statement) -> Result<Vec<Row>, Error> {
    let rows = session.query(&statement.sql, &parameters(statement)).await.map_err(failed("reading tables"))?;
    let unreadable = || Error::Damaged {
        position: Position::START,
        seen: "a column's type is not known here: cast it in the query",
    };
    rows.iter()
        .map(|row| {
            let columns = row.columns().iter().enumerate();
            columns.map(|(at, column)| from_postgres(row, at, column.type_()).ok_or_else(unreadable)).collect()
        })
        .collect()
}

fn parameters(statement: &Statement) -> Vec<&(dyn ToSql + Sync)> {
    statement.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
