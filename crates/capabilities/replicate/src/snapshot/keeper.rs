//! The holder's own side: make the slot, take over its snapshot, keep it until the connection ends.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::fence_slot::{FenceSlot, Lifetime};

use super::{Reading, standby};
use crate::progress::{StoredBackend, StoredSnapshot};
use crate::{Error, Plan};

/// A server to log in to.
#[derive(serde::Serialize, serde::Deserialize)]
struct Login {
    /// Its URL.
    url: String,
    /// The password, apart from the URL.
    password: Option<String>,
}

impl Login {
    fn new(url: &ConnectionUrl) -> Self {
        Self { url: url.to_url_without_password(), password: url.password().map(str::to_owned) }
    }

    fn url(&self) -> Result<ConnectionUrl, Error> {
        let url =
            ConnectionUrl::parse(&self.url).map_err(|_| Error::Broken("the hold request's URL cannot be read"))?;
        Ok(match &self.password {
            Some(password) => url.with_password(password.clone()),
            None => url,
        })
    }
}

/// What a holder is asked to do. Travels through a pipe, never through arguments: it holds a credential.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct HoldRequest {
    source: Login,
    /// Where the snapshot is taken, if not on the source.
    standby: Option<Login>,
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
    pub(crate) fn new(plan: &Plan, reading: &Reading<'_>, slot: Option<&str>) -> Self {
        Self {
            source: Login::new(&plan.source),
            standby: reading.standby_url().map(Login::new),
            migration: plan.name.to_string(),
            slot: slot.map(str::to_owned),
            slot_timeout_seconds: plan.options.slot_timeout.as_secs(),
        }
    }

    fn slot_timeout(&self) -> Duration {
        Duration::from_secs(self.slot_timeout_seconds)
    }

    /// How long the whole may take: a standby is waited for, too, and has a slot of its own.
    pub(super) fn limit(&self) -> Duration {
        let waits = if self.is_on_standby() { 4 } else { 1 };
        self.slot_timeout() * waits + Duration::from_secs(30)
    }

    pub(super) fn is_on_standby(&self) -> bool {
        self.standby.is_some()
    }
}

/// Holds a snapshot: calls `ready` with the answer line, then waits until the connection ends.
///
/// # Errors
/// When slot or snapshot cannot be had; after `ready` there is none.
pub async fn hold(request: &HoldRequest, ready: impl FnOnce(&str)) -> Result<(), Error> {
    match &request.standby {
        None => hold_on_source(request, ready).await,
        Some(standby) => hold_on_standby(request, &standby.url()?, ready).await,
    }
}

async fn hold_on_source(request: &HoldRequest, ready: impl FnOnce(&str)) -> Result<(), Error> {
    let source = request.source.url()?;
    let mut session = Session::connect(&source, &super::holder_name(&request.migration)).await?;
    let lifetime = match &request.slot {
        Some(name) => Lifetime::Persistent(name),
        None => Lifetime::Temporary,
    };
    let slot = FenceSlot::open(&source, lifetime, request.slot_timeout()).await?;
    session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    session.batch(&format!("SET TRANSACTION SNAPSHOT '{}'", slot.snapshot())).await?;
    let name = export(&session).await?;
    let lsn = slot.consistent_point();
    // The slot's own connection is not needed any more: the snapshot lives on in this transaction.
    drop(slot);
    answer(&StoredSnapshot { name, lsn, holder: backend(&session).await?, standby: None }, ready)?;
    ended(&mut session).await;
    Ok(())
}

/// The slot that changes come from is made on the source, and before the snapshot: it then brings whatever the snapshot
/// does not show. What lies between both is in the snapshot, and is skipped.
async fn hold_on_standby(
    request: &HoldRequest,
    standby: &ConnectionUrl,
    ready: impl FnOnce(&str),
) -> Result<(), Error> {
    let source = request.source.url()?;
    let holder = super::holder_name(&request.migration);
    let mut leash = Session::connect(&source, &holder).await?;
    let after = match &request.slot {
        Some(name) => {
            FenceSlot::open(&source, Lifetime::Persistent(name), request.slot_timeout()).await?.consistent_point()
        }
        None => Lsn::ZERO,
    };
    let taken = standby::take(standby, &source, &leash, &holder, after, request.slot_timeout()).await?;
    let standby::Taken { mut session, lsn } = taken;
    let name = export(&session).await?;
    let snapshot =
        StoredSnapshot { name, lsn, holder: backend(&leash).await?, standby: Some(backend(&session).await?) };
    answer(&snapshot, ready)?;
    let (on_source, on_standby) = (ended(&mut leash), ended(&mut session));
    tokio::select! {
        () = on_source => {}
        () = on_standby => {}
    }
    Ok(())
}

async fn ended(session: &mut Session) {
    while session.next_notification().await.is_some() {}
}

async fn export(session: &Session) -> Result<String, Error> {
    Ok(session.query_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await?.get(0))
}

/// What a session's backend is known by.
async fn backend(session: &Session) -> Result<StoredBackend, Error> {
    let row = session
        .query_one(
            "SELECT pg_catalog.pg_backend_pid(), a.backend_start::text
               FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS a",
            &[],
        )
        .await?;
    Ok(StoredBackend { pid: row.get(0), start: row.get(1) })
}

fn answer(held: &StoredSnapshot, ready: impl FnOnce(&str)) -> Result<(), Error> {
    ready(&serde_json::to_string(held).map_err(|_| Error::Broken("a snapshot cannot be written"))?);
    Ok(())
}
