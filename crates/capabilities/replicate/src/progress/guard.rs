//! Refusals at the start of a run: what was stored must belong to this source and this slot.
//!
//! Never the later of two positions, and never a slot that was made anew: both skip changes in silence.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::{ServerIdentity, read_identity};

use super::Migration;
use crate::Error;

const ABORT: &str = "if the source really changed, `atalaya migrate abort` and start the move again";

/// Refuses another server, another database or another timeline than the migration is bound to.
pub(crate) async fn check_source(source: &Session, migration: &Migration) -> Result<(), Error> {
    let found = read_identity(source).await?;
    let bound = &migration.identity;
    let refused = |code, seen: String| Err(Error::refused(code, seen, format!("check the source's URL; {ABORT}")));
    if found.system_identifier != bound.system_identifier {
        return refused(
            "another-source",
            format!("the source is another server than the one `{}` began with", migration.name),
        );
    }
    if found.timeline != bound.timeline {
        return refused(
            "another-timeline",
            format!(
                "the source is on timeline {}, the migration began on {}: it was promoted or restored",
                found.timeline, bound.timeline
            ),
        );
    }
    if same_database(&found, bound) {
        Ok(())
    } else {
        refused(
            "another-database",
            format!("the source's database is `{}`, the migration began with `{}`", found.database, bound.database),
        )
    }
}

fn same_database(found: &ServerIdentity, bound: &ServerIdentity) -> bool {
    found.database == bound.database && (bound.database_oid == 0 || found.database_oid == bound.database_oid)
}

/// How long the backend of a connection that vanished may keep a slot: the source ends it after its
/// `wal_sender_timeout`, 60 s unless set otherwise.
const SLOT_PATIENCE: Duration = Duration::from_secs(70);
const SLOT_PAUSE: Duration = Duration::from_millis(200);

/// Waits until nobody reads a slot: the backend of a killed run needs a moment to notice. False when it is still
/// in use after `limit`.
pub(crate) async fn wait_for_slot(source: &Session, slot: &str, limit: Duration) -> Result<bool, Error> {
    let deadline = tokio::time::Instant::now() + limit;
    let sql = "SELECT active FROM pg_catalog.pg_replication_slots WHERE slot_name = $1";
    while source.query_opt(sql, &[&slot]).await?.is_some_and(|row| row.get(0)) {
        if tokio::time::Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(SLOT_PAUSE).await;
    }
    Ok(true)
}

/// Refuses a slot that is gone, lost, of another kind, or past what is stored; and a stored position that
/// the source has not written yet. Stored is what the target has applied, or what a spool is known to hold, whichever
/// is later: the source may have been told that.
pub(crate) async fn check_position(source: &Session, migration: &Migration, stored: Lsn) -> Result<(), Error> {
    wait_for_slot(source, &migration.slot, SLOT_PATIENCE).await?;
    let row = source
        .query_opt(
            "SELECT plugin::text, database::text, confirmed_flush_lsn::text, wal_status, active,
                    pg_catalog.pg_current_wal_flush_lsn()::text
               FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
            &[&migration.slot],
        )
        .await?;
    let refused = |code, seen: String| {
        Err(Error::refused(code, seen, format!("changes may be missing, so nothing is applied; {ABORT}")))
    };
    let Some(row) = row else {
        return refused("slot-missing", format!("replication slot `{}` is gone from the source", migration.slot));
    };
    let plugin: Option<String> = row.get(0);
    let database: Option<String> = row.get(1);
    if plugin.as_deref() != Some("pgoutput") || database.as_deref() != Some(migration.identity.database.as_str()) {
        return refused(
            "slot-foreign",
            format!("replication slot `{}` is not the one this migration made", migration.slot),
        );
    }
    if row.get::<_, Option<String>>(3).as_deref() == Some("lost") {
        return refused(
            "slot-lost",
            format!("replication slot `{}` has lost its log (wal_status `lost`)", migration.slot),
        );
    }
    if row.get::<_, bool>(4) {
        return Err(Error::refused(
            "slot-active",
            format!("replication slot `{}` is in use by another connection", migration.slot),
            "another run of this migration may still be ending; try again, or see pg_stat_replication",
        ));
    }
    let lsn = |text: Option<String>| text.and_then(|text| text.parse::<Lsn>().ok());
    let Some(confirmed) = lsn(row.get(2)) else {
        return refused("slot-unconfirmed", format!("replication slot `{}` has no confirmed position", migration.slot));
    };
    if confirmed > stored {
        return refused(
            "slot-ahead",
            format!(
                "replication slot `{}` was confirmed up to {confirmed}, but only {stored} is stored on the target",
                migration.slot
            ),
        );
    }
    match lsn(row.get(5)) {
        Some(written) if stored <= written => Ok(()),
        _ => refused(
            "source-behind",
            format!("the target holds changes up to {stored}, which the source has not written: it was restored"),
        ),
    }
}
