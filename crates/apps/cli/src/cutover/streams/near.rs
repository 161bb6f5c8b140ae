//! What is made before clients are held, so that it need not be made while they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_cutover::{Direction, MarkerPassed, PartError, Proven};
use atalaya_data::Lsn;
use atalaya_postgres::Session;
use atalaya_replicate::{CarriedSequences, Leading, MarkerAnswer, Side, pass_marker};
use atalaya_validate::{RestProof, Scope};

use super::{Streams, of_postgres, of_replicate, of_validate};

const APPLICATION: &str = "atalaya cutover";
/// As connections for control begin.
const UNLIMITED: &str = "RESET statement_timeout";
/// Tables that only a comparison of every row can prove are compared in the pause where they are no larger.
pub(super) const FULL_ROWS_MAX: u64 = 20_000;
/// A look that took no longer leaves next to nothing to the pause. By time, since rows may be of megabytes.
const SHORT: Duration = Duration::from_millis(50);
/// Each look takes half as long as the one before where the servers keep up: these are enough after a minute.
const LOOKS_MAX: u32 = 16;

/// Connections and a proof at hand.
pub(super) struct Near {
    leaving: Session,
    applying: Session,
    proof: RestProof,
    proven_at: Option<(Lsn, Instant)>,
    /// Right before the last marker.
    before_marker: Option<Written>,
}

/// What the server that is left, all of its databases, says of transactions that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    /// The number that the next one gets.
    next: u64,
    /// Whether one is under way.
    is_open: bool,
}

impl Written {
    const SQL: &str = "SELECT pg_catalog.pg_snapshot_xmax(s)::pg_catalog.text, pg_catalog.pg_snapshot_xmin(s) <> pg_catalog.pg_snapshot_xmax(s)
                         FROM pg_catalog.pg_current_snapshot() AS s";

    async fn look(session: &Session) -> Result<Self, PartError> {
        let row = session.query_typed_one(Self::SQL, &[]).await.map_err(of_postgres)?;
        let next = row.get::<_, String>(0).parse().map_err(|_| PartError::new("a snapshot cannot be read"))?;
        Ok(Self { next, is_open: row.get(1) })
    }

    /// Whether nobody has written since, but for the marker itself.
    fn is_but_for_one(self, now: Self) -> bool {
        !self.is_open && !now.is_open && now.next == self.next + 1
    }
}

/// Sequences, which go over beside everything else, and by whoever is in charge alone: they are in no transaction, and a
/// number that clients have drawn on the other side by now must not be drawn again.
pub(super) struct Carrying {
    leading: Arc<Leading>,
    leaving: Side,
    arriving: Side,
    sequences: CarriedSequences,
}

impl Near {
    pub(super) async fn prepare(streams: &Streams, direction: Direction) -> Result<Self, PartError> {
        let (leaving, applying) = sessions(streams, direction).await?;
        let plan = streams.proof(direction, |name| Scope::Drained { name });
        let proof = RestProof::prepare(plan, FULL_ROWS_MAX).await.map_err(of_validate)?;
        Ok(Self { leaving, applying, proof, proven_at: None, before_marker: None })
    }

    /// Does once what is done while clients are held: servers and replicator have loaded and planned it then, and what
    /// does not work is found now. What is compared is of no account, since neither side is at rest.
    pub(super) async fn warm_up(&mut self, migration: &str, limit: Duration) -> Result<(), PartError> {
        let sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text";
        let row = self.leaving.query_one(sql, &[]).await.map_err(of_postgres)?;
        let position = row.get::<_, String>(0).parse().map_err(|_| PartError::new("a position cannot be read"))?;
        self.pass_marker(migration, position, limit).await?;
        self.prove(limit).await?;
        self.proven_at = None;
        Ok(())
    }

    /// The position of the side that applies at which both were found equal.
    pub(super) const fn proven_at(&self) -> Option<(Lsn, Instant)> {
        self.proven_at
    }

    pub(super) async fn pass_marker(
        &mut self,
        migration: &str,
        fenced_at: Lsn,
        limit: Duration,
    ) -> Result<MarkerPassed, PartError> {
        let sql = "SELECT pg_catalog.pg_logical_emit_message(true, 'atalaya', 'cutover')::text";
        let setting = async { self.leaving.query_typed_one(sql, &[]).await.map_err(of_postgres) };
        let (written, row) = tokio::try_join!(Written::look(&self.leaving), setting)?;
        self.before_marker = Some(written);
        let marker = row.get::<_, String>(0).parse().map_err(|_| PartError::new("a position cannot be read"))?;
        let answer = pass_marker(&mut self.applying, migration, fenced_at, marker, limit).await;
        match answer.map_err(of_postgres)? {
            MarkerAnswer::Passed(passed) => Ok(MarkerPassed { marker, foreign: passed.foreign }),
            MarkerAnswer::Unknown(why) => Err(PartError {
                text: format!("the replicator cannot tell whether everything is applied: {why}"),
                hint: Some("try again".to_owned()),
            }),
        }
    }

    /// How many transactions of others were committed behind the fence. Where the server has given no number to anybody since
    /// before the marker, which is seen at once, there were none.
    pub(super) async fn recheck(&mut self, migration: &str, fenced_at: Lsn, limit: Duration) -> Result<u64, PartError> {
        let now = Written::look(&self.leaving).await?;
        if self.before_marker.is_some_and(|before| before.is_but_for_one(now)) {
            return Ok(0);
        }
        Ok(self.pass_marker(migration, fenced_at, limit).await?.foreign)
    }

    /// Has rows compared that were written since the last pass, while clients write on: the pause pays for those that are
    /// left. Each look takes less time than the one before, and so leaves fewer, to a point. How many were compared.
    pub(super) async fn look_ahead(&mut self, limit: Duration) -> Result<u64, PartError> {
        let until = Instant::now() + limit;
        let mut last = Duration::MAX;
        let mut keys = 0;
        for _ in 0..LOOKS_MAX {
            let began = Instant::now();
            let left = until.saturating_duration_since(began);
            let looked = self.proof.look_ahead(left).await.map_err(of_validate)?;
            // Where it cannot be done, the pause pays for all of them.
            let Some(looked) = looked else { break };
            let took = began.elapsed();
            keys += looked.keys as u64;
            tracing::debug!(keys = looked.keys, open = looked.open, ?took, "rows were compared ahead");
            // The next one would have as much to do again.
            if took <= SHORT || took >= last {
                break;
            }
            last = took;
        }
        Ok(keys)
    }

    /// Whether a table could not be proven in the pause as things are now, though another pass at a fence would do.
    pub(super) async fn needs_a_pass(&self) -> Result<bool, PartError> {
        let beyond = self.proof.beyond_now().await.map_err(of_validate)?;
        if !beyond.is_empty() {
            tracing::debug!(tables = beyond.len(), "tables have to be compared once more");
        }
        Ok(!beyond.is_empty())
    }

    pub(super) async fn prove(&mut self, limit: Duration) -> Result<Proven, PartError> {
        // Its commit waits for the disk of the server that clients are led to: what was applied there before is on it then.
        let sql = "SELECT pg_catalog.pg_logical_emit_message(true, 'atalaya', 'proven')::text";
        let (position, report) = tokio::join!(self.applying.query_typed_one(sql, &[]), self.proof.pass(limit));
        let report = report.map_err(of_validate)?;
        let position: String = position.map_err(of_postgres)?.get(0);
        self.proven_at = position.parse().ok().map(|position| (position, Instant::now())).filter(|_| report.is_clean());
        let different: Vec<String> = report
            .different
            .iter()
            .map(|table| table.source.to_string())
            .chain(report.missing.iter().map(ToString::to_string))
            .collect();
        if report.proven == 0 && different.is_empty() && report.unproven.is_empty() {
            return Err(PartError {
                text: "there is no table that could be proven".to_owned(),
                hint: Some("see `atalaya migrate status`".to_owned()),
            });
        }
        Ok(Proven { rows: report.rows, different, unproven: report.unproven.iter().map(ToString::to_string).collect() })
    }
}

impl Carrying {
    pub(super) async fn prepare(streams: &Streams, direction: Direction) -> Result<Self, PartError> {
        let leading = streams.in_charge().await?;
        let (leaving, arriving) = match direction {
            Direction::Forward => (Side::Source, Side::Target),
            Direction::Back => (Side::Target, Side::Source),
        };
        let prepared = CarriedSequences::prepare(&streams.plan, leading.session(leaving), leading.session(arriving));
        let sequences = prepared.await.map_err(of_replicate)?;
        Ok(Self { leading, leaving, arriving, sequences })
    }

    /// Sets each where clients are led to where it stands on the side that they leave.
    pub(super) async fn carry(&mut self, limit: Duration) -> Result<u64, PartError> {
        let (leaving, arriving) = (self.leading.session(self.leaving), self.leading.session(self.arriving));
        // What nobody waits for any more must not go on setting them for long after.
        let limited = format!("SET statement_timeout = {}", limit.as_millis().max(1));
        tokio::try_join!(leaving.batch(&limited), arriving.batch(&limited)).map_err(of_postgres)?;
        let carried = self.sequences.carry(leaving, arriving).await.map_err(of_replicate)?;
        tokio::try_join!(leaving.batch(UNLIMITED), arriving.batch(UNLIMITED)).map_err(of_postgres)?;
        Ok(u64::try_from(carried).unwrap_or(u64::MAX))
    }
}

/// One to the side that is left, one to the side that clients are led to.
async fn sessions(streams: &Streams, direction: Direction) -> Result<(Session, Session), PartError> {
    let (source, target) = (&streams.endpoints.source, &streams.endpoints.target);
    let (from, to) = match direction {
        Direction::Forward => (source, target),
        Direction::Back => (target, source),
    };
    let connect = |url| Session::connect_for_control(url, APPLICATION);
    tokio::try_join!(connect(from), connect(to)).map_err(of_postgres)
}
