//! Several prepared statements in one round trip.
//!
//! The statements are all sent before the first answer is awaited. After an error the server goes on with
//! the next statement; inside a transaction block these then fail too, and a `COMMIT` at the end rolls back
//! while it answers as if it had succeeded. So a pipelined transaction is committed only when *every* step
//! of it succeeded.

use futures_util::future::join_all;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use crate::{Error, Session};

/// One statement of a pipeline with its parameters.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// Prepared on the same session.
    pub statement: &'a Statement,
    /// One value for each of the statement's parameters.
    pub parameters: &'a [&'a (dyn ToSql + Sync)],
}

impl Session {
    /// Runs all steps in their order without waiting in between; answers with each one's touched rows or
    /// error, as many as there are steps. The steps are held in memory: their maker bounds them.
    pub async fn pipeline(&self, steps: &[Step<'_>]) -> Vec<Result<u64, Error>> {
        join_all(steps.iter().map(|step| self.execute_prepared(step.statement, step.parameters))).await
    }
}
