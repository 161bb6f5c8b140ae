//! Open requests of one migration, as the running replicator sees them.

use std::time::Duration;

use atalaya_control::{FenceState, REQUESTER_CHANNEL};
use atalaya_data::Lsn;
use atalaya_data::position::is_before;
use atalaya_postgres::fence_slot::FenceSlot;
use atalaya_postgres::{Session, ToSql, Type};
use tokio::time::Instant;

use crate::Error;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Hold at a position, so that somebody can open a snapshot there.
    Fence,
    /// Read rows again from the source, at a fence that the replicator makes itself.
    Repair,
    /// End the run once a position is applied.
    Stop,
    /// Copy tables that are part of the migration now.
    Add,
    /// Say when a position is applied, and what others have committed shortly before.
    Marker,
    /// Read again which tables' keys are noted, and note from here on.
    Notes,
}

/// One open row of `atalaya.control`.
pub(crate) struct Request {
    pub(crate) id: i64,
    pub(crate) kind: Kind,
    pub(crate) state: FenceState,
    pub(crate) lsn: Option<Lsn>,
    /// For a marker: from where on others' commits are counted.
    pub(crate) fenced_at: Option<Lsn>,
    /// When it was read first.
    pub(crate) seen_at: Instant,
    pub(crate) lease: Duration,
    /// For a repair that is placed: the slot whose snapshot is read.
    pub(crate) slot: Option<FenceSlot>,
}

/// How long whoever waits for a marker is believed to do so.
const MARKER_PATIENCE: Duration = Duration::from_secs(10);

/// All open requests, and the session that listens for more.
pub(crate) struct Requests {
    session: Session,
    migration: String,
    pub(crate) open: Vec<Request>,
}

impl Requests {
    /// Ends every request that is open, for a run that begins: they were addressed to an earlier one. A `stop` that
    /// nobody met would otherwise end this run at once.
    pub(crate) async fn expire_all(session: &Session, migration: &str) -> Result<(), Error> {
        let ended = session
            .execute(
                "UPDATE atalaya.control SET state = 'expired', outcome = 'the run it was addressed to has ended'
                  WHERE migration = $1 AND state NOT IN ('released', 'expired')",
                &[&migration],
            )
            .await?;
        if ended > 0 {
            session.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REQUESTER_CHANNEL, &migration]).await?;
        }
        Ok(())
    }

    /// Ends requests for tables that could not be added, with the reason.
    pub(crate) async fn end_additions(session: &Session, migration: &str, outcome: &str) -> Result<(), Error> {
        session
            .execute(
                "UPDATE atalaya.control SET state = 'expired', outcome = $2
                  WHERE migration = $1 AND kind = 'add' AND state = 'requested'",
                &[&migration, &outcome],
            )
            .await?;
        session.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REQUESTER_CHANNEL, &migration]).await?;
        Ok(())
    }

    /// Takes over a session that listens already. What a lost connection cut off in its middle is over; what is
    /// only requested is still met.
    pub(crate) async fn open(session: Session, migration: &str) -> Result<Self, Error> {
        session
            .execute(
                "UPDATE atalaya.control SET state = 'expired'
                  WHERE migration = $1 AND state IN ('holding', 'placed', 'reached')",
                &[&migration],
            )
            .await?;
        let mut requests = Self { session, migration: migration.to_owned(), open: Vec::new() };
        requests.notify().await?;
        requests.refresh().await?;
        Ok(requests)
    }

    /// Waits until something was said; the rows are then to be read again. Nothing is lost when it is dropped
    /// while it waits, as `select!` does: hence no query in here.
    pub(crate) async fn woken(&mut self) -> Result<(), Error> {
        match self.session.next_notification().await {
            Some(_) => Ok(()),
            None => Err(Error::Interrupted("the control connection ended")),
        }
    }

    /// Waits for a notification at most so long, then reads the rows again.
    pub(crate) async fn woken_within(&mut self, limit: Duration) -> Result<bool, Error> {
        match tokio::time::timeout(limit, self.session.next_notification()).await {
            Ok(Some(_)) => self.refresh().await.map(|()| true),
            Ok(None) => Err(Error::Interrupted("the control connection ended")),
            Err(_) => self.refresh().await.map(|()| false),
        }
    }

    /// Reads the open rows again.
    pub(crate) async fn refresh(&mut self) -> Result<(), Error> {
        let sql =
            "SELECT id, kind, state, lsn::text, extract(epoch FROM lease)::float8, fenced_at::text FROM atalaya.control
                    WHERE migration = $1 AND state NOT IN ('released', 'expired') ORDER BY id";
        let rows = self.session.query_typed(sql, &[(&self.migration, Type::TEXT)]).await?;
        let mut before = std::mem::take(&mut self.open);
        for row in rows {
            let id: i64 = row.get(0);
            let kind = match row.get::<_, &str>(1) {
                "fence" => Kind::Fence,
                "repair" => Kind::Repair,
                "stop" => Kind::Stop,
                "add" => Kind::Add,
                "marker" => Kind::Marker,
                "notes" => Kind::Notes,
                // A later version's request is not ours to judge; its own timeout ends it.
                _ => continue,
            };
            let Some(state) = FenceState::parse(row.get(2)) else { continue };
            let lsn = row.get::<_, Option<&str>>(3).and_then(|text| text.parse().ok());
            let fenced_at = row.get::<_, Option<&str>>(5).and_then(|text| text.parse().ok());
            let lease = Duration::from_secs_f64(row.get::<_, f64>(4).clamp(0.1, 3600.0));
            let known = before.iter().position(|request| request.id == id).map(|at| before.swap_remove(at));
            let (seen_at, slot) = match known {
                Some(known) => (known.seen_at, known.slot),
                None => (Instant::now(), None),
            };
            self.open.push(Request { id, kind, state, lsn, fenced_at, seen_at, lease, slot });
        }
        Ok(())
    }

    /// Whether somebody waits for a marker, and may be there still.
    pub(crate) fn has_marker(&self) -> bool {
        self.open.iter().any(|request| request.kind == Kind::Marker && request.seen_at.elapsed() < MARKER_PATIENCE)
    }

    /// Whether a transaction that commits at this position must wait for a request to be met.
    pub(crate) fn stops_before(&self, commit_lsn: Lsn) -> bool {
        let stops = self.open.iter().filter(|request| request.kind == Kind::Stop);
        // Up to the last of several: the run ends once all are met.
        if stops.filter_map(|request| request.lsn).max().is_some_and(|last| !is_before(commit_lsn, last)) {
            return true;
        }
        self.open.iter().any(|request| match (request.kind, request.state) {
            (Kind::Stop | Kind::Marker, _) => false,
            (_, FenceState::Requested) => true,
            (_, FenceState::Placed) => request.lsn.is_some_and(|lsn| !is_before(commit_lsn, lsn)),
            _ => false,
        })
    }

    /// Whether somebody asks the run to end, and everything up to the last such position is applied. Of several that ask,
    /// one may have been left by a command that was killed.
    pub(crate) fn are_stops_met(&self, reached: Lsn) -> bool {
        let mut stops = self.open.iter().filter(|request| request.kind == Kind::Stop).peekable();
        stops.peek().is_some() && stops.all(|request| request.lsn.is_some_and(|lsn| lsn <= reached))
    }

    /// Writes a request's state, and tells whoever waits for it; false when the row is in another state than
    /// expected by now.
    pub(crate) async fn set_state(&mut self, id: i64, from: FenceState, to: FenceState) -> Result<bool, Error> {
        let changed = self
            .session
            .execute(
                "UPDATE atalaya.control SET state = $3 WHERE id = $1 AND state = $2",
                &[&id, &from.as_str(), &to.as_str()],
            )
            .await?;
        self.notify().await?;
        if let Some(request) = self.open.iter_mut().find(|request| request.id == id) {
            request.state = to;
        }
        Ok(changed == 1)
    }

    /// Writes down that a request of the replicator's own is placed at its position, unless it was taken back.
    pub(crate) async fn place(&mut self, id: i64) -> Result<(), Error> {
        let Some(request) = self.open.iter_mut().find(|request| request.id == id) else { return Ok(()) };
        request.state = FenceState::Placed;
        let lsn = request.lsn.unwrap_or_default().to_string();
        let placed = self
            .session
            .execute(
                "UPDATE atalaya.control SET state = 'placed', lsn = ($2::text)::pg_lsn
                  WHERE id = $1 AND state = 'requested'",
                &[&id, &lsn],
            )
            .await?;
        if placed == 0 {
            self.open.retain(|request| request.id != id);
        }
        Ok(())
    }

    /// Ends every stop that is met, and with the run those that came at the last moment: nobody would answer them. False
    /// when all were taken back meanwhile.
    pub(crate) async fn release_stops(&mut self, reached: Lsn) -> Result<bool, Error> {
        let open = "migration = $1 AND kind = 'stop' AND state = 'requested'";
        let release = format!(
            "UPDATE atalaya.control SET state = 'released', outcome = 'stopped' WHERE {open} AND lsn <= ($2::text)::pg_lsn"
        );
        let released = self.session.execute(&release, &[&self.migration, &reached.to_string()]).await? > 0;
        if released {
            let expire = format!(
                "UPDATE atalaya.control SET state = 'expired', outcome = 'the run it was addressed to has ended'
                  WHERE {open}"
            );
            self.session.execute(&expire, &[&self.migration]).await?;
        }
        self.open.retain(|request| request.kind != Kind::Stop);
        self.notify().await?;
        Ok(released)
    }

    /// Ends a request with a word about how it went.
    pub(crate) async fn close(&mut self, id: i64, to: FenceState, outcome: &str) -> Result<(), Error> {
        self.session
            .execute(
                "UPDATE atalaya.control SET state = $2, outcome = $3 WHERE id = $1",
                &[&id, &to.as_str(), &outcome],
            )
            .await?;
        self.open.retain(|request| request.id != id);
        self.notify().await
    }

    /// Answers somebody who waits, in one round trip. The answer is not on the disk then, nor is all that it tells of: who
    /// needs that has to see to it.
    pub(crate) async fn answer(&mut self, id: i64, to: FenceState, outcome: &str) -> Result<(), Error> {
        let sql = format!(
            "WITH soon AS MATERIALIZED (SELECT pg_catalog.set_config('synchronous_commit', 'off', true)),
                  closed AS (UPDATE atalaya.control SET state = $2, outcome = $3 WHERE id = $1)
             SELECT pg_catalog.pg_notify('{REQUESTER_CHANNEL}', $4) FROM soon"
        );
        let (state, migration) = (to.as_str(), self.migration.as_str());
        let parameters: &[(&(dyn ToSql + Sync), Type)] =
            &[(&id, Type::INT8), (&state, Type::TEXT), (&outcome, Type::TEXT), (&migration, Type::TEXT)];
        self.session.query_typed(&sql, parameters).await?;
        self.open.retain(|request| request.id != id);
        Ok(())
    }

    /// The state a request is in, as last read; expired when it is gone.
    pub(crate) fn state(&self, id: i64) -> FenceState {
        self.open.iter().find(|request| request.id == id).map_or(FenceState::Expired, |request| request.state)
    }

    async fn notify(&self) -> Result<(), Error> {
        self.session.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REQUESTER_CHANNEL, &self.migration]).await?;
        Ok(())
    }
}
