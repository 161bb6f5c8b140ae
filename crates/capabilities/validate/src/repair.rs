//! Asks the migration's replicator to read rows again, and proves afterwards that it helped.
//!
//! The target is never written to from here: the replicator puts rows right at a fence of its own, in one
//! transaction with its position, so that the changes that follow meet what they expect.

use std::time::Duration;

use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use atalaya_data::RelationName;
use atalaya_postgres::Session;
use tokio::time::Instant;

use crate::moment::APPLICATION_NAME;
use crate::{Error, Method, Plan, Progress, Report, Scope, run};

/// Rows put into one statement.
const CHUNK_ROWS: usize = 500;

/// How one row is known: the key's values, or all values for a table without a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowIdentity {
    /// The table's name on the source.
    pub(crate) table: RelationName,
    /// Values as their types' output functions write them; `None` is NULL.
    pub(crate) key: Vec<Option<String>>,
}

/// What a repair has come to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Repair {
    /// What was found before.
    pub before: Report,
    /// Rows that were read again from the source.
    pub rows: usize,
    /// What is found in the repaired tables now; `None` when there was nothing to repair.
    pub after: Option<Report>,
}

impl Repair {
    /// The result that counts: the tables after the repair, or all of them where nothing was to be repaired.
    #[must_use]
    pub fn result(&self) -> &Report {
        self.after.as_ref().unwrap_or(&self.before)
    }
}

/// Validates, has every differing row of a migration read again, and validates the repaired tables again.
///
/// # Errors
/// As [`crate::validate`]; [`Error::NoReplicator`] outside a migration, [`Error::RepairRefused`] when the
/// replicator gives up or does not answer within `limit`.
pub async fn repair(plan: &Plan, limit: Duration, progress: &dyn Progress) -> Result<Repair, Error> {
    let Scope::Migration { name } = &plan.scope else {
        return Err(Error::NoReplicator);
    };
    let mut collecting = plan.clone();
    collecting.collect_identities = true;
    let (before, mut rows) = run::run(&collecting, progress).await?;
    rows.sort();
    rows.dedup();
    if rows.is_empty() {
        return Ok(Repair { before, rows: 0, after: None });
    }
    let mut target = Session::connect_for_control(&plan.target, APPLICATION_NAME).await?;
    let request = ask(&target, name, &rows).await?;
    wait(&mut target, name, request, limit).await?;
    let mut again = plan.clone();
    let tables: Vec<RelationName> = rows.iter().map(|row| row.table.clone()).collect();
    again.only = Some(tables);
    let (mut after, _) = run::run(&again, progress).await?;
    if after.is_clean() && before.recorded {
        after = pass(plan, progress).await?.filter(|passed| !passed.is_clean()).unwrap_or(after);
    }
    Ok(Repair { before, rows: rows.len(), after: Some(after) })
}

/// Passes over every table once more, where only what was written since is compared: the last pass would be the one that
/// found what is repaired by now, and a cutover goes by that. None while another proof goes on, which does the same.
async fn pass(plan: &Plan, progress: &dyn Progress) -> Result<Option<Report>, Error> {
    let mut passing = plan.clone();
    passing.method = Method::Touched { full_age_max: Duration::MAX };
    match run::run(&passing, progress).await {
        Ok((report, _)) => Ok(Some(report)),
        Err(Error::AnotherProof { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the request and its rows in one transaction, then wakes the replicator.
async fn ask(target: &Session, migration: &str, rows: &[RowIdentity]) -> Result<i64, Error> {
    target.batch(&format!("LISTEN {REQUESTER_CHANNEL}; BEGIN")).await?;
    let request: i64 = target
        .query_one("INSERT INTO atalaya.control (migration, kind) VALUES ($1, 'repair') RETURNING id", &[&migration])
        .await?
        .get(0);
    for of_table in rows.chunk_by(|one, other| one.table == other.table) {
        for chunk in of_table.chunks(CHUNK_ROWS) {
            let Some(first) = chunk.first() else { continue };
            let keys: Vec<&[Option<String>]> = chunk.iter().map(|row| row.key.as_slice()).collect();
            let keys = serde_json::json!(keys).to_string();
            target
                .execute(
                    "INSERT INTO atalaya.repair_rows (control_id, schema, name, key)
                     SELECT $1, $2, $3, ARRAY(SELECT v.value FROM pg_catalog.json_array_elements_text(k.value)
                                                WITH ORDINALITY AS v(value, n) ORDER BY v.n)
                       FROM pg_catalog.json_array_elements($4::text::json) AS k(value)",
                    &[&request, &first.table.schema, &first.table.name, &keys],
                )
                .await?;
        }
    }
    target.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
    target.batch("COMMIT").await?;
    Ok(request)
}

/// Waits until the replicator has done it; takes the request back when it does not.
async fn wait(target: &mut Session, migration: &str, request: i64, limit: Duration) -> Result<(), Error> {
    let deadline = Instant::now() + limit;
    loop {
        let row = target.query_one("SELECT state, outcome FROM atalaya.control WHERE id = $1", &[&request]).await?;
        let outcome: Option<String> = row.get(1);
        let state: String = row.get(0);
        if state == FenceState::Released.as_str() {
            return Ok(());
        }
        if state == FenceState::Expired.as_str() {
            return Err(Error::RepairRefused { outcome: outcome.unwrap_or_else(|| "it gives no reason".to_owned()) });
        }
        if !matches!(tokio::time::timeout_at(deadline, target.next_notification()).await, Ok(Some(_))) {
            let taken_back = target
                .execute(
                    "UPDATE atalaya.control SET state = 'expired' WHERE id = $1 AND state <> 'released'",
                    &[&request],
                )
                .await?;
            if taken_back == 0 {
                return Ok(());
            }
            // Else it would repair later, with nobody there to prove that it helped.
            target.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
            return Err(Error::RepairRefused { outcome: format!("no answer in {} s", limit.as_secs()) });
        }
    }
}
