//! A logical slot made together with a snapshot: the one way to have a snapshot and its position match.
//!
//! The slot's `consistent_point` F and the exported snapshot hold exactly the commits whose record starts
//! before F. A position read beside a snapshot does not: commits are in the log before they are visible.

use std::convert::Infallible;
use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;

use crate::wire::{GivenUp, WireConnection, WireOptions};
use crate::{Error, Session, running_transactions, settings};

/// How long a slot lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime<'a> {
    /// As long as its connection; the name is made up.
    Temporary,
    /// Until it is dropped, under this name.
    Persistent(&'a str),
}

/// A slot's position and snapshot; the snapshot can be imported as long as this value lives.
pub struct FenceSlot {
    consistent_point: Lsn,
    snapshot: String,
    _connection: WireConnection,
}

impl FenceSlot {
    /// Makes the slot. The server waits for every transaction that is open now, in any database; so long as
    /// `limit` at most.
    ///
    /// # Errors
    /// The server's: no free slot or walsender, no REPLICATION; [`Error::OpenTransactions`] after `limit`.
    pub async fn open(source: &ConnectionUrl, lifetime: Lifetime<'_>, limit: Duration) -> Result<Self, Error> {
        Self::make(source, source, lifetime, limit, std::future::pending()).await
    }

    /// Makes a temporary slot on a physical standby, from 16 on. A standby cannot write the records that tell a new slot
    /// which transactions run: the primary is asked for them, so that one without work keeps nobody waiting. So long as
    /// `limit` at most.
    ///
    /// # Errors
    /// As [`FenceSlot::open`]; the transactions that are waited for are the primary's.
    pub async fn open_on_standby(
        standby: &ConnectionUrl,
        primary: &ConnectionUrl,
        session: &Session,
        limit: Duration,
    ) -> Result<Self, Error> {
        let telling = running_transactions::tell(primary, session);
        Self::make(standby, primary, Lifetime::Temporary, limit, telling).await
    }

    async fn make(
        place: &ConnectionUrl,
        writer: &ConnectionUrl,
        lifetime: Lifetime<'_>,
        limit: Duration,
        beside: impl Future<Output = Infallible>,
    ) -> Result<Self, Error> {
        let options = WireOptions {
            application_name: "atalaya fence".to_owned(),
            replication: true,
            settings: settings::as_pairs(),
            ..WireOptions::default()
        };
        let mut connection = WireConnection::connect(place, &options).await?;
        let sql = match lifetime {
            Lifetime::Persistent(name) => format!("CREATE_REPLICATION_SLOT {name} LOGICAL pgoutput EXPORT_SNAPSHOT"),
            Lifetime::Temporary => {
                let number: u64 = rand::random();
                format!(
                    "CREATE_REPLICATION_SLOT atalaya_fence_{number:016x} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"
                )
            }
        };
        let making = tokio::time::timeout(limit, connection.simple_query(&sql));
        let made = tokio::select! {
            made = making => made,
            never = beside => match never {},
        };
        let made = match made {
            Ok(made) => made?,
            Err(_) => {
                undo(connection, lifetime).await;
                return Err(open_transactions(writer, limit).await);
            }
        };
        let shape = || Error::Shape { action: "creating a replication slot".to_owned() };
        // slot_name, consistent_point, snapshot_name, output_plugin
        let row = made.into_iter().flat_map(|result| result.rows).next().ok_or_else(shape)?;
        let text = |column: usize| row.get(column).cloned().flatten().ok_or_else(shape);
        let consistent_point = text(1)?.parse().map_err(|_| shape())?;
        let snapshot = text(2)?;
        Ok(Self { consistent_point, snapshot, _connection: connection })
    }

    /// F: the snapshot holds exactly the commits whose record starts before it.
    #[must_use]
    pub fn consistent_point(&self) -> Lsn {
        self.consistent_point
    }

    /// The exported snapshot's name.
    #[must_use]
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }
}

/// Sees to it that no half-made slot stays: the server drops one whose statement is cancelled, but not one whose
/// client has gone while it waits for transactions.
async fn undo(mut connection: WireConnection, lifetime: Lifetime<'_>) {
    let given_up = connection.give_up_statement().await;
    let dropped = match (given_up, lifetime) {
        (GivenUp::Completed, Lifetime::Persistent(name)) => {
            connection.simple_query(&format!("DROP_REPLICATION_SLOT {name}")).await.is_ok()
        }
        // A temporary slot goes with its connection.
        (GivenUp::Cancelled | GivenUp::Completed, _) => true,
        (GivenUp::Unknown, _) => false,
    };
    if !dropped {
        tracing::warn!(pid = connection.backend_process_id(), "a slot that came about too late may be left");
    }
}

/// Names the backends that a new slot waits for.
async fn open_transactions(source: &ConnectionUrl, limit: Duration) -> Error {
    const SQL: &str = "SELECT coalesce(string_agg(what, ', '), 'none that this role can see') FROM (
        SELECT format('backend %s (%s s)', pid, round(extract(epoch FROM clock_timestamp() - xact_start))) AS what
          FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL OR backend_xmin IS NOT NULL
         UNION ALL
        SELECT format('prepared transaction since %s', prepared) FROM pg_catalog.pg_prepared_xacts
         LIMIT 10) AS waits";
    let seen = async { Session::connect_for_control(source, "atalaya fence").await?.query_one(SQL, &[]).await };
    match seen.await {
        Ok(row) => Error::OpenTransactions { limit, seen: row.get(0) },
        Err(error) => error,
    }
}
