//! The first copy: every table as the slot's snapshot sees it, several workers, largest tables first.
//!
//! Rows pass from the source's COPY to the target's without being read here; memory does not depend on the
//! size of rows or tables. A range is done when the transaction that loaded it has said so.

mod format;
mod job;
mod worker;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use atalaya_catalog::Relation;
use atalaya_data::RelationName;
use atalaya_postgres::Session;
use atalaya_postgres::load::{Held, LoadGate};
use tokio::sync::Mutex;

use crate::progress::{Store, StoredSnapshot, TableRow};
use crate::protect::workers_within;
use crate::report::{Event, Observer};
use crate::snapshot::Reading;
use crate::{Error, Plan};

use job::{Emptied, Job, Loaded};

/// What all workers share.
struct Shared<'a> {
    plan: &'a Plan,
    /// Where rows are read from; COPY has connections of its own.
    reading: &'a Reading<'a>,
    /// Where the snapshot's holder is ended.
    source: &'a Session,
    gate: LoadGate,
    /// Active sessions of others and their limit, while the copy waits for a busy source.
    held_back: std::sync::Mutex<Option<(u32, u32)>>,
    snapshot: &'a StoredSnapshot,
    jobs: Mutex<VecDeque<Job>>,
    left: HashMap<RelationName, Left>,
    rows: AtomicU64,
    bytes: Arc<AtomicU64>,
    bytes_expected: u64,
    observer: &'a dyn Observer,
    /// Whether triggers and foreign keys of the target can be kept from firing.
    replica: bool,
}

/// Both servers and their catalogs, and what the target's role may do.
pub(crate) struct Sides<'a> {
    /// The source.
    pub(crate) source: &'a Session,
    /// Where rows are read from.
    pub(crate) reading: &'a Reading<'a>,
    /// The relations of the server that rows are read from.
    pub(crate) sources: &'a [Relation],
    /// The target's.
    pub(crate) targets: &'a [Relation],
    /// Whether the role may set `session_replication_role`.
    pub(crate) replica: bool,
}

/// What is left of one table.
struct Left {
    jobs: AtomicU64,
    /// Rows that this run has loaded.
    rows: AtomicU64,
}

impl Shared<'_> {
    fn activity(&self, begun: std::time::Instant) -> serde_json::Value {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let rate = bytes as f64 / begun.elapsed().as_secs_f64().max(0.001);
        let left = self.bytes_expected.saturating_sub(bytes) as f64 / rate.max(1.0);
        serde_json::json!({
            "copy_bytes": bytes,
            "copy_bytes_expected": self.bytes_expected,
            "copy_bytes_per_second": rate.round(),
            "copy_seconds_left": (bytes > 0).then(|| left.round()),
            "held_back": self.held_back().map(
                |(active, limit)| serde_json::json!({ "active": active, "limit": limit, "server": self.reading.word() }),
            ),
        })
    }

    fn held_back(&self) -> std::sync::MutexGuard<'_, Option<(u32, u32)>> {
        self.held_back.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits while the server that is read is too busy for another table or range.
    async fn pass_gate(&self) -> Result<(), Error> {
        let server = self.reading.word();
        let told = |held| {
            let text = match held {
                Held::Begun { active, limit } => format!(
                    "{active} sessions of others are active on the {server}, more than {limit}: no new table or range is \
                     begun until they are fewer"
                ),
                Held::Over { waited } => format!("the copy goes on after {} s: the {server} is calm", waited.as_secs()),
                Held::Slowly { waited } => format!(
                    "the {server} has been busy for {} s: one table or range at a time is begun all the same",
                    waited.as_secs()
                ),
            };
            *self.held_back() = match held {
                Held::Begun { active, limit } => Some((active, limit)),
                Held::Over { .. } | Held::Slowly { .. } => None,
            };
            self.observer.observe(&Event::Warning { text });
        };
        Ok(self.gate.pass(self.reading.session(), told).await?)
    }

    fn report(&self) {
        self.observer.observe(&Event::Copied {
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_expected: self.bytes_expected,
        });
    }
}

/// Copies every table that is not done yet.
pub(crate) async fn copy_tables(
    plan: &Plan,
    store: &Store<'_>,
    snapshot: &StoredSnapshot,
    sides: &Sides<'_>,
    observer: &dyn Observer,
) -> Result<(), Error> {
    store.ensure_writers(plan.options.workers).await?;
    let mut tables = store.read_tables().await?;
    // What another snapshot has to be made for waits: in this one it is not at its own position.
    tables.retain(|table| table.done || table.start_lsn == Some(snapshot.lsn));
    let bytes_expected = tables.iter().filter(|table| !table.done).map(|table| table.estimated_bytes).sum();
    let (jobs, left) = queue(plan, store, &tables, sides).await?;
    // Whoever comes here with every row loaded may have no snapshot any more, and needs none.
    if jobs.is_empty() {
        return Ok(());
    }
    let workers = workers_within(&plan.options).min(jobs.len());
    let shared = Shared {
        plan,
        reading: sides.reading,
        source: sides.source,
        gate: LoadGate::new(plan.options.source_load),
        held_back: std::sync::Mutex::default(),
        snapshot,
        jobs: Mutex::new(jobs),
        left,
        rows: AtomicU64::new(0),
        bytes: Arc::default(),
        bytes_expected,
        observer,
        replica: sides.replica,
    };
    let begun = std::time::Instant::now();
    let ticking = async {
        let mut every = tokio::time::interval(std::time::Duration::from_secs(1));
        loop {
            every.tick().await;
            shared.report();
            // Figures for `status`; that they could not be written is the copy's own error soon enough.
            let _written = store.write_activity(&shared.activity(begun)).await;
        }
    };
    let working = futures_util::future::try_join_all((1..=workers).map(|number| worker::work(&shared, number)));
    tokio::select! {
        // The first worker that fails ends the others: their transactions roll back, their ranges stay open.
        worked = working => worked.map(|_| ())?,
        () = ticking => {}
    }
    shared.report();
    Ok(())
}

/// What is to be loaded of tables that are not done, and how much of each.
async fn queue(
    plan: &Plan,
    store: &Store<'_>,
    tables: &[TableRow],
    sides: &Sides<'_>,
) -> Result<(VecDeque<Job>, HashMap<RelationName, Left>), Error> {
    let referenced = referenced(store.session).await?;
    let mut stored = job::stored_ranges(store).await?;
    let mut jobs = VecDeque::new();
    let mut left = HashMap::new();
    let by_name = |relations: &[Relation]| -> HashMap<RelationName, Relation> {
        relations.iter().map(|relation| (relation.name.clone(), relation.clone())).collect()
    };
    let (sources, targets) = (by_name(sides.sources), by_name(sides.targets));
    for table in tables.iter().filter(|table| !table.done) {
        let (Some(from), Some(to)) = (sources.get(&table.source), targets.get(&table.target)) else {
            return Err(Error::SchemaChange {
                relation: table.source.clone(),
                change: "it is gone on the source or missing on the target".to_owned(),
            });
        };
        let emptied = if referenced.contains(&table.target) { Emptied::Deleted } else { Emptied::Truncated };
        let (from, to) = (Arc::new(from.clone()), Arc::new(to.clone()));
        let ranges = stored.remove(&table.source).unwrap_or_default();
        let loaded = Loaded { from, to, emptied, ranges };
        let of_table = job::jobs_of(plan, store, sides.reading.session(), table, loaded).await?;
        let counters = Left { jobs: AtomicU64::new(of_table.len() as u64), rows: AtomicU64::new(0) };
        left.insert(table.source.clone(), counters);
        jobs.extend(of_table);
    }
    Ok((jobs, left))
}

/// Tables of the target that foreign keys of other tables refer to; there are some only in a schema that was there.
pub(crate) async fn referenced(target: &Session) -> Result<HashSet<RelationName>, Error> {
    let rows = target
        .query(
            "SELECT DISTINCT n.nspname::text, c.relname::text FROM pg_catalog.pg_constraint k
               JOIN pg_catalog.pg_class c ON c.oid = k.confrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE k.contype = 'f' AND k.conrelid <> k.confrelid",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1))).collect())
}
