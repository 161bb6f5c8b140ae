//! The requester's half of notes: from when on does a replicator note the keys that it writes?
//!
//! A replicator reads which tables are noted when it begins and at each fence. Whoever has named tables in between asks it
//! to look again, and must not take anything for noted before it has answered.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::question::{Answer, ask};
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
    let insert = "INSERT INTO atalaya.control (migration, kind) VALUES ($1, 'notes')";
    match ask(target, migration, (insert, &[(&migration, Type::TEXT)]), "note what it writes", limit).await? {
        Answer::Done(_) => Ok(NotesAnswer::Noted),
        Answer::Unanswered(why) => Ok(NotesAnswer::Unanswered(why)),
    }
}
