//! `stop`: the running replicator applies what the source has written by now, and ends; the slot stays.

use std::time::Duration;

use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use tokio::time::Instant;

use crate::progress::Store;
use crate::{Error, sequences};

/// Asks the running replicator to drain and end; waits until it has.
///
/// # Errors
/// When none answers within `limit`.
pub async fn stop(
    source: &ConnectionUrl,
    target: &ConnectionUrl,
    migration: &str,
    limit: Duration,
) -> Result<(), Error> {
    let mut session = Session::connect_for_control(target, &format!("atalaya stop {migration}")).await?;
    refuse_unless_running(&session, migration).await?;
    let source = Session::connect_for_control(source, &format!("atalaya stop {migration}")).await?;
    session.batch(&format!("LISTEN {REQUESTER_CHANNEL}")).await?;
    let lsn = sequences::current_lsn(&source).await?.to_string();
    let id: i64 = session
        .query_one(
            "INSERT INTO atalaya.control (migration, kind, lsn) VALUES ($1, 'stop', ($2::text)::pg_lsn) RETURNING id",
            &[&migration, &lsn],
        )
        .await?
        .get(0);
    session.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
    // An idle source tells its position at once when a transaction follows.
    source.query("SELECT pg_catalog.pg_logical_emit_message(true, 'atalaya', 'stop')", &[]).await?;
    let deadline = Instant::now() + limit;
    loop {
        let state: String = session.query_one("SELECT state FROM atalaya.control WHERE id = $1", &[&id]).await?.get(0);
        match FenceState::parse(&state) {
            Some(FenceState::Released) => return Ok(()),
            Some(FenceState::Expired) => {
                return Err(Error::refused(
                    "stop-dropped",
                    format!("the run of `{migration}` that was asked to stop has ended or begun anew"),
                    "see `atalaya migrate status`, and ask again if it runs",
                ));
            }
            _ => {}
        }
        let woken = tokio::time::timeout_at(deadline, session.next_notification()).await;
        if !matches!(woken, Ok(Some(_))) {
            // A run that has released it meanwhile has stopped; any other must not stop later, unasked.
            let taken_back = session
                .execute("UPDATE atalaya.control SET state = 'expired' WHERE id = $1 AND state <> 'released'", &[&id])
                .await?;
            if taken_back == 0 {
                return Ok(());
            }
            session.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
            return Err(Error::refused(
                "not-running",
                format!("no run of `{migration}` has stopped within {} s", limit.as_secs()),
                "see `atalaya migrate status`: it may not be running, or be far behind",
            ));
        }
    }
}

async fn refuse_unless_running(target: &Session, migration: &str) -> Result<(), Error> {
    let store = Store { session: target, name: migration };
    if store.read().await?.is_none() {
        return Err(Error::refused(
            "unknown-migration",
            format!("the target knows no migration `{migration}`"),
            "see `atalaya migrate status`",
        ));
    }
    if !crate::is_running(target, migration).await? {
        return Err(Error::refused(
            "not-running",
            format!("no run of `{migration}` is there to be stopped; its slot is kept"),
            "nothing is to be done; `atalaya migrate start` goes on",
        ));
    }
    Ok(())
}
