//! Sessions as the journal needs them, each with limits for all that it waits for.

use std::collections::HashMap;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Session, Statement, settings};

use super::failure::failed;
use super::schema;
use crate::Error;

/// What a session is for; its name in `pg_stat_activity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
    Listen,
}

impl Purpose {
    fn application_name(self) -> &'static str {
        match self {
            Self::Write => "atalaya journal writer",
            Self::Read => "atalaya journal reader",
            Self::Listen => "atalaya journal listener",
        }
    }
}

/// Longer than waiting for the head may take: a statement that takes more than this besides hangs.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(60);

/// Plans by index alone: every statement has one for its purpose, and statistics of a table that was empty when they
/// were gathered must not choose another way.
const PLANS: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off";
/// What the writer runs is planned once: for short arrays the server would plan anew each time, which costs more than a small
/// append itself. Readers' pages are planned by their parameters, since how rare a category is decides about the index.
const PLANNED_ONCE: &str = "SET plan_cache_mode = force_generic_plan";

/// A session with its prepared statements.
pub(super) struct Connection {
    pub(super) session: Session,
    /// Not to be used again: rows that nobody wants are still on their way.
    pub(super) spent: bool,
    statements: HashMap<String, Statement>,
}

impl Connection {
    /// Connects for a purpose.
    pub(super) async fn open(url: &ConnectionUrl, purpose: Purpose, lock_limit: Duration) -> Result<Self, Error> {
        let connecting = failed("connecting");
        let session = Session::connect(url, purpose.application_name()).await.map_err(&connecting)?;
        let statement = (lock_limit + STATEMENT_LIMIT).as_millis();
        // A process that was frozen while it held the head must not keep everybody else waiting.
        let idle = (lock_limit / 2).as_millis().max(1);
        let sql = format!(
            "SET statement_timeout = {statement}; SET idle_in_transaction_session_timeout = {idle}; {}; {PLANS}",
            settings::lock_limit_sql(lock_limit)
        );
        session.batch(&sql).await.map_err(&connecting)?;
        if purpose == Purpose::Write {
            schema::look_at_server(&session).await?;
            session.batch(PLANNED_ONCE).await.map_err(&connecting)?;
        }
        Ok(Self { session, spent: false, statements: HashMap::new() })
    }

    /// A statement, prepared when it is first used.
    pub(super) async fn statement(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.session.prepare(sql).await.map_err(failed("preparing a statement"))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}
