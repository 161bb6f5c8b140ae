//! The requester's half of a marker: has a replicator applied everything up to a position, and did anybody else write?
//!
//! Whoever leads clients from one server to the other shuts the one they leave, reads its position, and then writes a
//! marker to its log. What the replicator tells of the time between both is whether the door was shut.

use std::time::Duration;

use atalaya_data::Lsn;
use tokio_postgres::types::{ToSql, Type};

use super::question::{Answer, ask};
use crate::{Error, Session};

/// A marker that everything was applied up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkerPassed {
    /// Transactions that changed a published table between the two positions, and were none of a move's own.
    pub foreign: u64,
}

/// What became of a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerAnswer {
    /// Everything before it is applied.
    Passed(MarkerPassed),
    /// The replicator cannot tell, and why; it may have begun anew in between.
    Unknown(String),
}

/// Waits until the replicator that writes to this server has applied all that was committed before `marker`, and hears
/// whether anybody has committed a change of a published table from `fenced_at` on. Both are positions of the server
/// that is read. What is applied may not be on this server's disk yet.
///
/// # Errors
/// The server's; [`Error::Timeout`] when no replicator is there in time.
pub async fn pass_marker(
    target: &mut Session,
    migration: &str,
    fenced_at: Lsn,
    marker: Lsn,
    limit: Duration,
) -> Result<MarkerAnswer, Error> {
    let (fenced_at, marker) = (fenced_at.to_string(), marker.to_string());
    let insert = "INSERT INTO atalaya.control (migration, kind, fenced_at, lsn)
                  VALUES ($1, 'marker', ($2::text)::pg_lsn, ($3::text)::pg_lsn)";
    let parameters: &[(&(dyn ToSql + Sync), Type)] =
        &[(&migration, Type::TEXT), (&fenced_at, Type::TEXT), (&marker, Type::TEXT)];
    match ask(target, migration, (insert, parameters), "apply everything up to a marker", limit).await? {
        Answer::Done(count) => {
            let shape = |_| Error::Shape { action: "reading what a marker came to".to_owned() };
            Ok(MarkerAnswer::Passed(MarkerPassed { foreign: count.parse().map_err(shape)? }))
        }
        Answer::Unanswered(why) => Ok(MarkerAnswer::Unknown(why)),
    }
}
