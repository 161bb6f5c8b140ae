//! Sessions whose snapshots show both sides at comparable moments.

use std::time::{Duration, Instant};

use atalaya_data::{Lsn, quote_literal};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::control::FenceRequest;
use atalaya_postgres::fence_slot::{FenceSlot, Lifetime};
use futures_util::future::try_join_all;

use crate::proof::{Ledger, Standing};
use crate::unit::Unit;
use crate::{Error, Method, Plan, Scope};

/// How our sessions are called in `pg_stat_activity`.
pub(crate) const APPLICATION_NAME: &str = "atalaya validate";

/// One session a side, each in a read-only transaction with its side's snapshot.
pub(crate) struct Pair {
    pub(crate) source: Session,
    pub(crate) target: Session,
    deadline: Instant,
}

/// Sessions of one group of tables.
pub(crate) struct Opened {
    /// One pair a worker.
    pub(crate) pairs: Vec<Pair>,
    /// The position both sides stand at, where a fence was made.
    pub(crate) fence: Option<Lsn>,
    /// What was proven and written since, as of the target's snapshot; none without a migration.
    pub(crate) standing: Option<Standing>,
    opened_at: Instant,
}

/// A fence is lost when the target takes longer than the lease to give a snapshot.
const FENCE_TRIES_MAX: u32 = 3;
/// What a step of ours may take beyond its own limit before the replicator goes on without us.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
/// JIT compiles these short expressions longer than they take; cursors are read to their end.
const TUNE: &str = "SET LOCAL jit = off; SET LOCAL cursor_tuple_fraction = 1; SET LOCAL work_mem = '64MB'";

impl Pair {
    /// Begins something that can be undone without losing the snapshot.
    pub(crate) async fn set_savepoint(&self) -> Result<(), Error> {
        self.batch("SAVEPOINT atalaya_unit").await
    }

    /// Lets statements from here on run no longer than the snapshot may still be held.
    pub(crate) async fn limit_statements(&self) -> Result<(), Error> {
        self.batch(&format!("SET LOCAL statement_timeout = {}", self.left_ms())).await
    }

    fn left_ms(&self) -> u128 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        // 0 would mean no limit at all.
        left.as_millis().clamp(1, u128::from(u32::MAX >> 1))
    }

    /// Has rows of given keys found by an index wherever there is one, until the savepoint's end.
    pub(crate) async fn prefer_indexes(&self) -> Result<(), Error> {
        self.batch("SET LOCAL enable_seqscan = off").await
    }

    /// Undoes all since the savepoint, an error too.
    pub(crate) async fn roll_back(&self) -> Result<(), Error> {
        self.batch("ROLLBACK TO SAVEPOINT atalaya_unit; RELEASE SAVEPOINT atalaya_unit").await
    }

    async fn batch(&self, sql: &str) -> Result<(), Error> {
        tokio::try_join!(self.source.batch(sql), self.target.batch(sql))?;
        Ok(())
    }
}

impl Opened {
    /// Opens the snapshots that the scope asks for.
    pub(crate) async fn open(plan: &Plan, ledger: Option<&Ledger>, units: &[Unit]) -> Result<Self, Error> {
        match &plan.scope {
            Scope::Migration { name } => Self::fenced(plan, name, ledger, units).await,
            Scope::Drained { name } => {
                let mut opened = Self::plain(plan).await?;
                if let (Method::Touched { .. }, Some(pair)) = (plan.method, opened.pairs.first()) {
                    opened.standing = Some(Standing::read(&pair.target, name).await?);
                }
                Ok(opened)
            }
            Scope::Databases { .. } => Self::plain(plan).await,
        }
    }

    /// Opens a snapshot on each side, one right after the other.
    pub(crate) async fn plain(plan: &Plan) -> Result<Self, Error> {
        let (source, target) = connect_pairs(plan).await?;
        let opened_at = Instant::now();
        tokio::try_join!(begin_shared(&source), begin_shared(&target))?;
        Ok(Self::of(plan, opened_at, source, target, None))
    }

    /// Opens snapshots that hold exactly the same commits, with the help of the migration's replicator.
    async fn fenced(plan: &Plan, migration: &str, ledger: Option<&Ledger>, units: &[Unit]) -> Result<Self, Error> {
        let mut control = Session::connect_for_control(&plan.target, APPLICATION_NAME).await?;
        for _ in 0..FENCE_TRIES_MAX {
            let (source, target) = connect_pairs(plan).await?;
            let lease = plan.fence_limit + LEASE_MARGIN;
            let request = FenceRequest::hold(&mut control, migration, lease, plan.fence_limit).await?;
            let opened = async {
                let (fence, opened_at) = open_at_fence(plan, &request, &mut control, &source, &target).await?;
                let standing = match (ledger, target.first()) {
                    (Some(ledger), Some(target)) => {
                        let standing = Standing::read(target, migration).await?;
                        ledger.arm(&standing, units).await?;
                        Some(standing)
                    }
                    _ => None,
                };
                Ok::<_, Error>((fence, opened_at, standing))
            };
            match opened.await {
                Ok((fence, opened_at, standing)) => {
                    if request.release(&control).await? {
                        let opened = Self::of(plan, opened_at, source, target, Some(fence));
                        return Ok(Self { standing, ..opened });
                    }
                }
                Err(error) => {
                    // The replicator goes on by itself at the lease's end; that it cannot be told is no news.
                    let _told = request.withdraw(&control).await;
                    return Err(error);
                }
            }
        }
        Err(Error::FenceLost { tries: FENCE_TRIES_MAX })
    }

    /// Sessions to both sides while both are at rest, for no longer than the limit.
    pub(crate) fn at_rest(plan: &Plan, limit: Duration, source: Vec<Session>, target: Vec<Session>) -> Self {
        let mut opened = Self::of(plan, Instant::now(), source, target, None);
        let deadline = opened.opened_at + limit.min(plan.snapshot_age_limit);
        opened.pairs.iter_mut().for_each(|pair| pair.deadline = deadline);
        opened
    }

    /// Begins in each session with a snapshot of its own, since both sides stand still; statements run no longer than the
    /// snapshot may be held.
    pub(crate) async fn begin_each(&self) -> Result<(), Error> {
        let begun = self.pairs.iter().map(|pair| async move {
            pair.batch(&format!("{BEGIN}; {TUNE}; SET LOCAL statement_timeout = {}", pair.left_ms())).await
        });
        try_join_all(begun).await.map(drop)
    }

    /// Ends what is open in each, which stays for the next time.
    pub(crate) async fn into_ended(self) -> Result<Vec<Pair>, Error> {
        try_join_all(self.pairs.iter().map(|pair| pair.batch("COMMIT"))).await?;
        Ok(self.pairs)
    }

    /// How long the older of the snapshots has been held: the source's, which waits for the target's.
    pub(crate) fn age(&self) -> Duration {
        self.opened_at.elapsed()
    }

    fn of(plan: &Plan, opened_at: Instant, source: Vec<Session>, target: Vec<Session>, fence: Option<Lsn>) -> Self {
        let deadline = opened_at + plan.snapshot_age_limit;
        let pairs = source.into_iter().zip(target).map(|(source, target)| Pair { source, target, deadline }).collect();
        Self { pairs, fence, standing: None, opened_at }
    }
}

/// The replicator holds: makes the fence, has it reached, and opens both sides' snapshots there. The answer is where
/// the fence lies, and since when the source's snapshot is held.
async fn open_at_fence(
    plan: &Plan,
    request: &FenceRequest,
    control: &mut Session,
    source: &[Session],
    target: &[Session],
) -> Result<(Lsn, Instant), Error> {
    let slot = FenceSlot::open(&plan.source, Lifetime::Temporary, plan.fence_limit).await?;
    let fence = slot.consistent_point();
    let opened_at = Instant::now();
    begin_imported(source, slot.snapshot()).await?;
    // The sessions hold the snapshot now; the slot would only keep log.
    drop(slot);
    // An idle source would send nothing past the fence until its next keepalive.
    let marker = Session::connect_for_control(&plan.source, APPLICATION_NAME).await?;
    marker.query("SELECT pg_catalog.pg_logical_emit_message(true, 'atalaya', 'fence')", &[]).await?;
    // The source's snapshot is open by now: its age is the limit.
    request.place(control, fence, plan.fence_limit, plan.snapshot_age_limit).await?;
    begin_shared(target).await?;
    Ok((fence, opened_at))
}

/// How long the oldest transaction is open on the source, in seconds: a fence waits for it, and apply waits for the
/// fence. Transactions that the role cannot see do not count.
///
/// # Errors
/// The server's.
pub async fn oldest_transaction_seconds(source: &ConnectionUrl) -> Result<f64, Error> {
    const SQL: &str = "SELECT coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - t.since)), 0)::float8
        FROM (SELECT xact_start AS since FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL
               UNION ALL SELECT prepared FROM pg_catalog.pg_prepared_xacts) AS t";
    let session = Session::connect_for_control(source, APPLICATION_NAME).await?;
    Ok(session.query_one(SQL, &[]).await?.get(0))
}

async fn connect_pairs(plan: &Plan) -> Result<(Vec<Session>, Vec<Session>), Error> {
    let workers = plan.workers_within();
    tokio::try_join!(connect_all(&plan.source, workers), connect_all(&plan.target, workers))
}

pub(crate) async fn connect_all(url: &ConnectionUrl, workers: usize) -> Result<Vec<Session>, Error> {
    let connecting = (0..workers.max(1)).map(|_| Session::connect(url, APPLICATION_NAME));
    Ok(try_join_all(connecting).await?)
}

/// Takes a snapshot in the first session and shares it with the others.
pub(crate) async fn begin_shared(sessions: &[Session]) -> Result<(), Error> {
    let Some((first, others)) = sessions.split_first() else {
        return Ok(());
    };
    first.batch(BEGIN).await?;
    let snapshot: String = first.query_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await?.get(0);
    first.batch(TUNE).await?;
    begin_imported(others, &snapshot).await
}

/// Begins in each session with a snapshot that somebody holds.
async fn begin_imported(sessions: &[Session], snapshot: &str) -> Result<(), Error> {
    let sql = format!("{BEGIN}; SET TRANSACTION SNAPSHOT {}; {TUNE}", quote_literal(snapshot));
    try_join_all(sessions.iter().map(|session| session.batch(&sql))).await?;
    Ok(())
}
