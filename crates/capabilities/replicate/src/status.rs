//! `status`: what the target's rows and the source's slot say, without touching the run.

use atalaya_data::{Lsn, RelationName};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;

use crate::conflict::{ConflictCount, read_counts};
use crate::progress::{GivenUp, Store};
use crate::touched::ProofStatus;
use crate::{Error, Side};

/// Where a migration is.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Status {
    /// The contract's version.
    pub version: u32,
    /// The migration's name.
    pub name: String,
    /// `created`, `copy`, `stream` or `finished`.
    pub phase: String,
    /// Whether a run holds the migration's lock.
    pub running: bool,
    /// Tables whose copy is complete.
    pub tables_done: usize,
    /// Rows copied in finished loads.
    pub copied_rows: u64,
    /// Bytes copied in finished loads.
    pub copied_bytes: u64,
    /// Bytes that the source's tables had when the move began.
    pub expected_bytes: u64,
    /// The stored position.
    pub applied_lsn: Option<String>,
    /// Changes applied.
    pub changes: u64,
    /// Transactions of the source applied.
    pub transactions: u64,
    /// Bytes of log between the stored position and the source's end.
    pub lag_bytes: Option<u64>,
    /// Seconds behind the source: since the last applied commit, or since nothing was behind, whichever is later.
    pub lag_seconds: Option<f64>,
    /// The slot.
    pub slot: SlotHealth,
    /// What waits on disk, where changes are spooled.
    pub spool: Option<SpoolStatus>,
    /// What is proven, and how long ago.
    pub proof: ProofStatus,
    /// Why the slot was given up, where it was: the move has to begin anew.
    pub given_up: Option<GivenUp>,
    /// What the running process last said of itself.
    pub activity: Option<serde_json::Value>,
    /// The server that clients are led to, where there is a way back.
    pub serving: Option<Side>,
    /// Conflicts by table and kind.
    pub conflicts: Vec<ConflictCount>,
    /// Every table.
    pub tables: Vec<TableStatus>,
}

/// How the source's slot is.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct SlotHealth {
    /// Its name.
    pub name: String,
    /// Whether it exists.
    pub exists: bool,
    /// Whether somebody reads it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// Bytes of log that it keeps on the source's disk.
    pub retained_bytes: Option<i64>,
    /// What it may keep before the run gives it up, as the last run was told.
    pub limit_bytes: Option<i64>,
    /// Bytes that may still be written before the source itself cuts it off; none where it has no limit.
    pub safe_bytes: Option<i64>,
}

/// What a spool holds. Its figures are what the running process last said.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct SpoolStatus {
    /// The source may have freed its log up to here, so that the move depends on the spool.
    pub received_lsn: Option<String>,
    /// The end of what was written.
    pub written_lsn: Option<String>,
    /// Bytes on disk.
    pub bytes: Option<u64>,
    /// The most that it may hold.
    pub limit_bytes: Option<u64>,
    /// Whether it may take no more.
    pub is_full: bool,
    /// Whether the source is told what is received, instead of what is applied.
    pub frees_source: bool,
}

/// Where one table is.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TableStatus {
    /// The source's table.
    pub table: RelationName,
    /// `pending`, `copying` or `done`.
    pub state: String,
    /// Rows of finished loads.
    pub copied_rows: i64,
    /// Bytes of finished loads.
    pub copied_bytes: i64,
    /// What is done with rows that somebody else wrote to the target's table.
    pub conflicts: String,
}

/// Reads where a migration is; none when there is no such migration.
///
/// # Errors
/// When the target, or the source where there is a migration, cannot be asked.
pub async fn status(source: &ConnectionUrl, target: &ConnectionUrl, migration: &str) -> Result<Option<Status>, Error> {
    let session = Session::connect_for_control(target, &format!("atalaya status {migration}")).await?;
    let store = Store { session: &session, name: migration };
    let Some(found) = store.read().await? else { return Ok(None) };
    let tables = read_tables(&session, migration).await?;
    let progress = session
        .query_opt(
            "SELECT p.applied::text, p.changes, p.transactions,
                    extract(epoch FROM pg_catalog.clock_timestamp() - greatest(p.committed_at,
                        (SELECT a.updated_at FROM atalaya.activity a
                          WHERE a.migration = p.migration AND a.report ->> 'lag_bytes' = '0')))::float8
               FROM atalaya.progress p WHERE p.migration = $1 AND p.writer = 0",
            &[&migration],
        )
        .await?;
    let row = session
        .query_one(
            "SELECT phase, (options ->> 'wal_limit_bytes')::int8, options ? 'way_back' OR options ? 'serving', options ->> 'serving' = 'target' FROM atalaya.migration WHERE name = $1",
            &[&migration],
        )
        .await?;
    let (phase, limit_bytes, has_way_back): (String, Option<i64>, bool) = (row.get(0), row.get(1), row.get(2));
    let led_over = row.get::<_, Option<bool>>(3).unwrap_or_default();
    let activity: Option<String> = session
        .query_opt("SELECT report::text FROM atalaya.activity WHERE migration = $1", &[&migration])
        .await?
        .map(|row| row.get(0));
    let activity: Option<serde_json::Value> = activity.and_then(|text| serde_json::from_str(&text).ok());
    let spool = read_spool(&store, activity.as_ref()).await?;
    let running = crate::is_running(&session, migration).await?;
    let expected: i64 = session
        .query_one(
            "SELECT coalesce(sum(estimated_bytes), 0)::int8 FROM atalaya.tables WHERE migration = $1",
            &[&migration],
        )
        .await?
        .get(0);
    let applied_lsn: Option<String> = progress.as_ref().map(|row| row.get(0));
    // Beside a way back a position without a change is stored seldom: how far the run has come, it says itself.
    let reached =
        activity.as_ref().filter(|_| has_way_back && running).and_then(|said| said.get("applied_lsn")?.as_str());
    let lsn = |text: &str| text.parse::<Lsn>().ok();
    let applied_lsn = match (applied_lsn, reached) {
        (Some(stored), Some(reached)) if lsn(reached) > lsn(&stored) => Some(reached.to_owned()),
        (stored, _) => stored,
    };
    let source = Session::connect_for_control(source, &format!("atalaya status {migration}")).await?;
    let (mut slot, lag_bytes) = read_slot(&source, &found.slot, applied_lsn.as_deref()).await?;
    slot.limit_bytes = limit_bytes;
    let lag_seconds = match lag_bytes {
        None => None,
        // With nothing behind, the age of the last commit says how idle the source is, not how late we are.
        Some(0) => Some(0.0),
        Some(_) => progress.as_ref().and_then(|row| row.get::<_, Option<f64>>(3)).map(|seconds| seconds.max(0.0)),
    };
    let count =
        |column: usize| progress.as_ref().map_or(0, |row| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default());
    let sum = |of: fn(&TableStatus) -> i64| u64::try_from(tables.iter().map(of).sum::<i64>()).unwrap_or_default();
    Ok(Some(Status {
        version: 1,
        name: migration.to_owned(),
        phase,
        running,
        tables_done: tables.iter().filter(|table| table.state == "done").count(),
        copied_rows: sum(|table| table.copied_rows),
        copied_bytes: sum(|table| table.copied_bytes),
        expected_bytes: u64::try_from(expected).unwrap_or_default(),
        changes: count(1),
        transactions: count(2),
        applied_lsn,
        lag_bytes,
        lag_seconds,
        slot,
        spool,
        conflicts: read_counts(&session, migration).await?,
        proof: ProofStatus::read(&session, migration).await?,
        given_up: found.given_up,
        serving: has_way_back.then_some(if led_over { Side::Target } else { Side::Source }),
        activity,
        tables,
    }))
}

/// None where nothing is spooled and nothing depends on what was.
async fn read_spool(store: &Store<'_>, activity: Option<&serde_json::Value>) -> Result<Option<SpoolStatus>, Error> {
    let received = store.received().await?;
    let said = activity.and_then(|activity| activity.get("spool"));
    if received.is_none() && said.is_none() {
        return Ok(None);
    }
    let figure = |name: &str| said.and_then(|said| said.get(name));
    let is = |name| figure(name).and_then(serde_json::Value::as_bool).unwrap_or_default();
    let bytes = |name| figure(name).and_then(serde_json::Value::as_u64);
    Ok(Some(SpoolStatus {
        received_lsn: received.map(|received| received.position.to_string()),
        written_lsn: figure("written_lsn").and_then(|lsn| lsn.as_str()).map(str::to_owned),
        bytes: bytes("bytes"),
        limit_bytes: bytes("limit_bytes"),
        is_full: is("is_full"),
        frees_source: is("frees_source"),
    }))
}

async fn read_tables(session: &Session, migration: &str) -> Result<Vec<TableStatus>, Error> {
    let rows = session
        .query(
            "SELECT schema, name, state, copied_rows, copied_bytes, conflicts FROM atalaya.tables WHERE migration = $1
              ORDER BY schema, name",
            &[&migration],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| TableStatus {
            table: RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
            state: row.get(2),
            copied_rows: row.get(3),
            copied_bytes: row.get(4),
            conflicts: row.get(5),
        })
        .collect())
}

pub(crate) async fn read_slot(
    source: &Session,
    name: &str,
    applied: Option<&str>,
) -> Result<(SlotHealth, Option<u64>), Error> {
    let applied = applied.unwrap_or("0/0");
    let lag: i64 = source
        .query_one(
            "SELECT greatest(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), ($1::text)::pg_lsn), 0)::int8",
            &[&applied],
        )
        .await?
        .get(0);
    let row = source
        .query_opt(
            "SELECT active, wal_status,
                    pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), restart_lsn)::int8, safe_wal_size
               FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
            &[&name],
        )
        .await?;
    let health = match row {
        None => SlotHealth { name: name.to_owned(), ..SlotHealth::default() },
        Some(row) => SlotHealth {
            name: name.to_owned(),
            exists: true,
            active: row.get(0),
            wal_status: row.get(1),
            retained_bytes: row.get(2),
            limit_bytes: None,
            safe_bytes: row.get(3),
        },
    };
    Ok((health, (applied != "0/0").then(|| u64::try_from(lag).unwrap_or_default())))
}
