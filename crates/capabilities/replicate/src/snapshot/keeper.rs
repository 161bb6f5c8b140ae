//! The holder's own side: make the slot, take over its snapshot, keep it until the connection ends.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::fence_slot::{FenceSlot, Lifetime};

use super::holder::application_name;
use crate::Error;
use crate::progress::StoredSnapshot;

/// What a holder is asked to do. Travels through a pipe, never through arguments: it holds a credential.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct HoldRequest {
    /// The source's URL.
    url: String,
    /// The password, apart from the URL.
    password: Option<String>,
    /// The migration's name.
    migration: String,
    /// The slot to make and keep; none for a temporary one, when only a new snapshot is needed.
    slot: Option<String>,
    /// How long the slot may wait for open transactions.
    slot_timeout_seconds: u64,
}

// The password stays out of every print.
impl std::fmt::Debug for HoldRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HoldRequest")
            .field("migration", &self.migration)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

impl HoldRequest {
    pub(crate) fn new(source: &ConnectionUrl, migration: &str, slot: Option<&str>, slot_timeout: Duration) -> Self {
        Self {
            url: source.to_url_without_password(),
            password: source.password().map(str::to_owned),
            migration: migration.to_owned(),
            slot: slot.map(str::to_owned),
            slot_timeout_seconds: slot_timeout.as_secs(),
        }
    }

    pub(crate) fn slot_timeout(&self) -> Duration {
        Duration::from_secs(self.slot_timeout_seconds)
    }

    fn source(&self) -> Result<ConnectionUrl, Error> {
        let url =
            ConnectionUrl::parse(&self.url).map_err(|_| Error::Broken("the hold request's URL cannot be read"))?;
        Ok(match &self.password {
            Some(password) => url.with_password(password.clone()),
            None => url,
        })
    }
}

/// Holds a snapshot: calls `ready` with the answer line, then waits until the connection ends.
///
/// # Errors
/// When slot or snapshot cannot be had; after `ready` there is none.
pub async fn hold(request: &HoldRequest, ready: impl FnOnce(&str)) -> Result<(), Error> {
    let source = request.source()?;
    let mut session = Session::connect(&source, &application_name(&request.migration)).await?;
    let lifetime = match &request.slot {
        Some(name) => Lifetime::Persistent(name),
        None => Lifetime::Temporary,
    };
    let slot = FenceSlot::open(&source, lifetime, request.slot_timeout()).await?;
    session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    session.batch(&format!("SET TRANSACTION SNAPSHOT '{}'", slot.snapshot())).await?;
    let row = session
        .query_one(
            "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_backend_pid(), a.backend_start::text
               FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS a",
            &[],
        )
        .await?;
    let held = StoredSnapshot {
        name: row.get(0),
        lsn: slot.consistent_point(),
        backend_pid: row.get(1),
        backend_start: row.get(2),
    };
    // The slot's own connection is not needed any more: the snapshot lives on in this transaction.
    drop(slot);
    ready(&serde_json::to_string(&held).map_err(|_| Error::Broken("a snapshot cannot be written"))?);
    while session.next_notification().await.is_some() {}
    Ok(())
}
