//! `abort`: everything of ours goes from both sides; the target's data only when asked.

use std::time::Duration;

use atalaya_data::{quote_identifier, quote_literal};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Session, control};

use crate::progress::{Store, wait_for_slot};
use crate::{Error, run_lock, snapshot};

/// How long the backend of a run that ended may take to leave its slot.
const SLOT_PATIENCE: Duration = Duration::from_secs(10);

/// What is to be removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct AbortOptions {
    /// The migrated tables on the target too.
    pub drop_target: bool,
}

/// What was removed, and what could not be reached.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct AbortReport {
    /// Replication slots dropped on the source.
    pub slots: Vec<String>,
    /// Publications dropped on the source.
    pub publications: Vec<String>,
    /// Tables dropped on the target.
    pub tables: Vec<String>,
    /// Whether our schema was removed from the target.
    pub schema_removed: bool,
    /// Why the target was left as it is, when it could not be reached.
    pub target_unreached: Option<String>,
}

/// Removes slots, publications and our schema; can be repeated, and works with the target gone.
///
/// # Errors
/// When the source cannot be reached, or the migration is running.
pub async fn abort(
    source: &ConnectionUrl,
    target: &ConnectionUrl,
    migration: &str,
    options: AbortOptions,
) -> Result<AbortReport, Error> {
    let name = format!("atalaya abort {migration}");
    let mut report = AbortReport::default();
    let prefixes = match Session::connect(target, &name).await {
        Ok(session) => clean_target(&session, migration, options, &mut report).await?,
        Err(error) => {
            report.target_unreached = Some(error.to_string());
            None
        }
    };
    let session = Session::connect(source, &name).await?;
    clean_source(&session, migration, prefixes, &mut report).await?;
    Ok(report)
}

/// Cleans the target; the answer is the name of slot and publication, where it is known.
async fn clean_target(
    target: &Session,
    migration: &str,
    options: AbortOptions,
    report: &mut AbortReport,
) -> Result<Option<String>, Error> {
    let store = Store { session: target, name: migration };
    let Some(found) = store.read().await? else { return Ok(None) };
    run_lock(target, migration).await?;
    if options.drop_target {
        let tables = store.read_tables().await?;
        let names: Vec<String> = tables.iter().map(|table| table.target.to_sql()).collect();
        if !names.is_empty() {
            target.batch(&format!("DROP TABLE IF EXISTS {} CASCADE", names.join(", "))).await?;
        }
        report.tables = tables.iter().map(|table| table.target.to_string()).collect();
    }
    forget(target, migration).await?;
    report.schema_removed = !control::is_installed(target).await?;
    Ok(Some(found.slot))
}

/// Removes a migration's rows, and our schema with the last of them.
pub(crate) async fn forget(target: &Session, migration: &str) -> Result<(), Error> {
    target.execute("DELETE FROM atalaya.migration WHERE name = $1", &[&migration]).await?;
    let others: i64 = target.query_one("SELECT count(*) FROM atalaya.migration", &[]).await?.get(0);
    if others == 0 {
        control::drop_schema(target).await?;
    }
    Ok(())
}

/// Drops slots and publications: those named, or, with the target gone, those whose name is this migration's.
pub(crate) async fn clean_source(
    source: &Session,
    migration: &str,
    slot: Option<String>,
    report: &mut AbortReport,
) -> Result<(), Error> {
    let pattern = match &slot {
        Some(slot) => format!("^{slot}(_append)?$"),
        None => format!("^{}_[0-9a-f]{{8}}(_append)?$", crate::slot_prefix(migration)),
    };
    // The slot's own connections and the snapshot's holder first: a slot in use cannot be dropped.
    snapshot::end_orphans(source, migration).await?;
    let slots = source
        .query(
            "SELECT slot_name::text FROM pg_catalog.pg_replication_slots
              WHERE slot_name::text ~ $1 AND database = pg_catalog.current_database()",
            &[&pattern],
        )
        .await?;
    for row in slots {
        let name: String = row.get(0);
        if !wait_for_slot(source, &name, SLOT_PATIENCE).await? {
            return Err(Error::refused(
                "slot-active",
                format!("replication slot `{name}` is in use"),
                "stop the migration first: `atalaya migrate stop`",
            ));
        }
        source.query("SELECT pg_catalog.pg_drop_replication_slot($1)", &[&name]).await?;
        report.slots.push(name);
    }
    let publications =
        source.query("SELECT pubname::text FROM pg_catalog.pg_publication WHERE pubname ~ $1", &[&pattern]).await?;
    for row in publications {
        let name: String = row.get(0);
        source
            .batch(&format!("SET lock_timeout = '10s'; DROP PUBLICATION IF EXISTS {}", quote_identifier(&name)))
            .await?;
        report.publications.push(name);
    }
    // Named for people who read the server's log.
    source.batch(&format!("SET application_name = {}", quote_literal("atalaya"))).await?;
    Ok(())
}
