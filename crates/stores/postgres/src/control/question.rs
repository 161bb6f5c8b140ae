//! A request that the replicator answers and forgets: one row of `atalaya.control`, from its insertion to its answer.
//!
//! Nothing is polled: the requester listens before it asks, and wakes on the notification.

use std::time::Duration;

use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use futures_util::future::join;
use tokio::time::Instant;
use tokio_postgres::types::{ToSql, Type};

use crate::{Error, Session};

/// What the replicator said, with the words that it wrote beside.
pub(super) enum Answer {
    /// It did what it was asked for.
    Done(String),
    /// It cannot tell, and why.
    Unanswered(String),
}

/// Inserts a row, whose statement returns its `id`, and waits for its answer. A question that nobody has answered in time is
/// taken back, so that nothing waits for it.
///
/// # Errors
/// The server's; [`Error::Timeout`] when no replicator is there in time.
pub(super) async fn ask(
    target: &mut Session,
    migration: &str,
    insert: (&str, &[(&(dyn ToSql + Sync), Type)]),
    what: &str,
    limit: Duration,
) -> Result<Answer, Error> {
    let deadline = Instant::now() + limit;
    let (insert, parameters) = insert;
    // A request need not outlive the server that it is made to, so it does not wait for its disk.
    let asking = format!(
        "WITH soon AS MATERIALIZED (SELECT pg_catalog.set_config('synchronous_commit', 'off', true)),
              asked AS ({insert} RETURNING id, migration)
         SELECT asked.id, pg_catalog.pg_notify('{REPLICATOR_CHANNEL}', asked.migration) FROM asked, soon"
    );
    let listen = format!("LISTEN {REQUESTER_CHANNEL}");
    // Both are sent at once, in this order: whoever is answered has listened before.
    let (listens, asked) = join(target.batch(&listen), target.query_typed_one(&asking, parameters)).await;
    listens?;
    let id: i64 = asked?.get(0);
    while matches!(tokio::time::timeout_at(deadline, target.next_notification()).await, Ok(Some(_))) {
        let sql = "SELECT state, outcome FROM atalaya.control WHERE id = $1";
        let row = target.query_typed_one(sql, &[(&id, Type::INT8)]).await?;
        let outcome = || row.get::<_, Option<String>>(1).unwrap_or_default();
        match FenceState::parse(row.get(0)) {
            Some(FenceState::Released) => return Ok(Answer::Done(outcome())),
            Some(FenceState::Expired) => return Ok(Answer::Unanswered(outcome())),
            _ => {}
        }
    }
    let withdraw = "UPDATE atalaya.control SET state = 'expired' WHERE id = $1 AND state <> 'released'";
    target.execute(withdraw, &[&id]).await?;
    target.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
    Err(Error::Timeout { what: format!("waiting for the replicator to {what}"), limit })
}
