//! The requester's half of notes: from when on does a replicator note the keys that it writes?
//!
//! A replicator reads which tables are noted when it begins and at each fence. Whoever has named tables in between asks it
//! to look again, and must not take anything for noted before it has answered.

use std::time::Duration;

use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use tokio::time::Instant;

use crate::{Error, Session};

/// What became of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotesAnswer {
    /// The keys of everything that is written from now on are noted.
    Noted,
    /// The replicator has begun anew meanwhile, and why it does not answer: ask again.
    Unanswered(String),
}

/// Has the replicator that writes to this server note the keys of every table that is named in `atalaya.proof_tables`,
/// from between two of its transactions on, and waits until it does.
///
/// # Errors
/// The server's; [`Error::Timeout`] when no replicator is there in time.
pub async fn renew_notes(target: &mut Session, migration: &str, limit: Duration) -> Result<NotesAnswer, Error> {
    const ASK: &str = "WITH asked AS (
            INSERT INTO atalaya.control (migration, kind) VALUES ($1, 'notes') RETURNING id)
        SELECT id, pg_catalog.pg_notify($2, $1) FROM asked";
    let deadline = Instant::now() + limit;
    target.batch(&format!("LISTEN {REQUESTER_CHANNEL}")).await?;
    let id: i64 = target.query_one(ASK, &[&migration, &REPLICATOR_CHANNEL]).await?.get(0);
    loop {
        let row = target.query_one("SELECT state, outcome FROM atalaya.control WHERE id = $1", &[&id]).await?;
        match FenceState::parse(row.get(0)) {
            Some(FenceState::Released) => return Ok(NotesAnswer::Noted),
            Some(FenceState::Expired) => {
                return Ok(NotesAnswer::Unanswered(row.get::<_, Option<String>>(1).unwrap_or_default()));
            }
            _ => {}
        }
        if !matches!(tokio::time::timeout_at(deadline, target.next_notification()).await, Ok(Some(_))) {
            break;
        }
    }
    // Nothing waits for it any more: what is written meanwhile must not wait either.
    target
        .execute("UPDATE atalaya.control SET state = 'expired' WHERE id = $1 AND state <> 'released'", &[&id])
        .await?;
    target.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
    Err(Error::Timeout { what: "waiting for the replicator to note what it writes".to_owned(), limit })
}
