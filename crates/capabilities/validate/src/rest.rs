//! The proof at rest: both sides stand still and hold the same commits, and what was written since the last proof is
//! compared directly.
//!
//! Whoever leads clients from one server to the other proves within the pause, in which every millisecond counts. So all
//! that can be done before is: connections, catalogs, what is compared and how. Within it the cost is that of the keys
//! that were written since the last comparison, never that of whole tables, except of those that are small. There is no
//! fence and no slot: both sides are at rest already. Nothing is written: what is noted stays noted for the next pass at a
//! fence, which may only remove what its replicator knows to be removed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use atalaya_data::{Lsn, RelationName};
use atalaya_postgres::Session;
use futures_util::future::try_join_all;

use crate::judge::judge;
use crate::moment::{APPLICATION_NAME, Opened, Pair, begin_shared, connect_all};
use crate::proof::{Decision, Ledger, Standing, decide};
use crate::survey::{Survey, survey};
use crate::unit::Unit;
use crate::{Error, Method, Plan, Scope, TableReport, TableStatus};

/// Bytes that a row of a small table may have on average.
const ROW_BYTES: u64 = 1024;

/// A proof that is ready to be passed.
pub struct RestProof {
    plan: Plan,
    migration: String,
    full_age_max: Duration,
    full_rows_max: u64,
    survey: Survey,
    source: Vec<Session>,
    target: Vec<Session>,
}

/// What a proof at rest has come to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RestReport {
    /// Tables that are proven: every row at an earlier pass or now, and each row that was written since.
    pub proven: usize,
    /// Keys that were looked up.
    pub keys: u64,
    /// Rows of the source that were compared.
    pub rows: u64,
    /// Tables that differ, or could not be compared.
    pub different: Vec<TableReport>,
    /// Tables that one side lacks.
    pub missing: Vec<RelationName>,
    /// Tables that only a longer comparison could prove; nothing is known against them.
    pub unproven: Vec<RelationName>,
    /// The age of the oldest comparison of every row that the result rests on.
    pub full_age_seconds: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl RestReport {
    /// Whether every table is proven equal; nothing is proven where there is none.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.proven > 0 && self.different.is_empty() && self.missing.is_empty() && self.unproven.is_empty()
    }
}

impl RestProof {
    /// Prepares the proof of a migration, whose plan has the scope [`Scope::Drained`] and the method [`Method::Touched`].
    /// Tables of which only a comparison of every row could tell are compared where they have at most `full_rows_max`
    /// rows.
    ///
    /// # Errors
    /// When a side cannot be reached, there is no such migration, or the plan is another.
    pub async fn prepare(plan: Plan, full_rows_max: u64) -> Result<Self, Error> {
        let shape = Error::Shape { action: "preparing a proof at rest" };
        let (Scope::Drained { name }, Method::Touched { full_age_max }) = (&plan.scope, plan.method) else {
            return Err(shape);
        };
        let migration = name.clone();
        let workers = plan.workers_within();
        let (source, target) =
            tokio::try_join!(connect_all(&plan.source, workers), connect_all(&plan.target, workers))?;
        let (Some(first), Some(other)) = (source.first(), target.first()) else { return Err(shape) };
        let survey = survey(&plan, first, other).await?;
        Ok(Self { plan, migration, full_age_max, full_rows_max, survey, source, target })
    }

    /// Compares what was written since, once both sides are at rest: the one that is left is shut, and everything that
    /// was committed there is applied. No statement goes on for longer than the limit, whether or not somebody still waits.
    ///
    /// # Errors
    /// When a connection is lost. A table that cannot be compared is part of the report.
    pub async fn pass(&mut self, limit: Duration) -> Result<RestReport, Error> {
        let began = Instant::now();
        let (source, target) = (std::mem::take(&mut self.source), std::mem::take(&mut self.target));
        tokio::try_join!(begin_shared(&source), begin_shared(&target))?;
        let mut opened = Opened::at_rest(&self.plan, limit, source, target);
        let shape = Error::Shape { action: "proving at rest" };
        let standing = match opened.pairs.first() {
            Some(pair) => Standing::read(&pair.target, &self.migration).await?,
            None => return Err(shape),
        };
        let mut report = RestReport {
            proven: 0,
            keys: 0,
            rows: 0,
            different: Vec::new(),
            missing: left_out(&self.survey, crate::SkipVerdict::Difference),
            unproven: left_out(&self.survey, crate::SkipVerdict::NotProven),
            full_age_seconds: 0.0,
            seconds: 0.0,
        };
        let mut queue = VecDeque::new();
        for (number, unit) in self.survey.units.iter().enumerate() {
            let decision = decide(unit, &standing, self.full_age_max);
            match decision {
                Decision::Untouched => {
                    report.proven += 1;
                    report.rest_on(&standing, unit);
                }
                Decision::Keys => {
                    report.rest_on(&standing, unit);
                    queue.push_back((number, unit));
                }
                Decision::Full if is_small(unit, self.full_rows_max) => queue.push_back((number, unit)),
                Decision::Full => report.unproven.push(unit.source_name.clone()),
            }
        }
        opened.standing = Some(standing);
        let (queue, report) = (Mutex::new(queue), Mutex::new(report));
        try_join_all(opened.pairs.iter().map(|pair| self.work(&opened, pair, &queue, &report))).await?;
        for pair in opened.pairs {
            tokio::try_join!(pair.source.batch("COMMIT"), pair.target.batch("COMMIT"))?;
            self.source.push(pair.source);
            self.target.push(pair.target);
        }
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.seconds = began.elapsed().as_secs_f64();
        Ok(report)
    }

    async fn work(
        &self,
        opened: &Opened,
        pair: &Pair,
        queue: &Mutex<VecDeque<(usize, &Unit)>>,
        report: &Mutex<RestReport>,
    ) -> Result<(), Error> {
        loop {
            let Some((number, unit)) = lock(queue).pop_front() else { return Ok(()) };
            let judged = judge(&self.plan, &self.survey, opened, pair, number, unit).await?.report;
            let mut report = lock(report);
            report.keys += judged.touched_keys;
            report.rows += judged.source_rows;
            match judged.status {
                TableStatus::Equal => report.proven += 1,
                TableStatus::NotProven => report.unproven.push(judged.source),
                _ => report.different.push(judged),
            }
        }
    }
}

/// By its bytes, too: of a table that was never analyzed nobody knows the rows.
fn is_small(unit: &Unit, full_rows_max: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a bound need not be exact")]
    let rows_max = full_rows_max as f64;
    unit.estimated_rows <= rows_max && unit.bytes <= full_rows_max.saturating_mul(ROW_BYTES)
}

/// Tables that the survey could not pair.
fn left_out(survey: &Survey, verdict: crate::SkipVerdict) -> Vec<RelationName> {
    survey.skipped.iter().filter(|skipped| skipped.verdict == verdict).map(|skipped| skipped.table.clone()).collect()
}

/// A table of which a proof at rest could not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeyondRest {
    /// The source's.
    pub table: RelationName,
    /// Why not.
    pub why: Beyond,
}

/// Why a proof at rest could not tell of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// It is not compared yet by any proof.
    NotCompared,
    /// It has no key, too many rows to be compared as a whole, and was written to since the last proof.
    NoKeyWritten,
    /// The same, but it was not written to since.
    NoKey,
}

/// Tables of a migration of which a proof at rest could not tell, as things are, however often they are proven before:
/// those with a key are compared while clients work, and what they write behind that is looked up.
///
/// # Errors
/// As [`RestProof::prepare`].
pub async fn beyond_rest(plan: &Plan, full_rows_max: u64) -> Result<Vec<BeyondRest>, Error> {
    let (Scope::Drained { name } | Scope::Migration { name }) = &plan.scope else {
        return Err(Error::Shape { action: "looking what a proof at rest can tell" });
    };
    let (source, target) = tokio::try_join!(
        Session::connect_for_control(&plan.source, APPLICATION_NAME),
        Session::connect_for_control(&plan.target, APPLICATION_NAME)
    )?;
    let survey = survey(plan, &source, &target).await?;
    let standing = Standing::read(&target, name).await?;
    let keyless = survey.units.iter().filter(|unit| unit.key.is_empty() && !is_small(unit, full_rows_max));
    let keyless = keyless.map(|unit| {
        let is_written = standing.of(&unit.target_name).is_none_or(|table| table.whole || table.keys > 0);
        let why = if is_written { Beyond::NoKeyWritten } else { Beyond::NoKey };
        BeyondRest { table: unit.source_name.clone(), why }
    });
    let not_compared = left_out(&survey, crate::SkipVerdict::NotProven).into_iter();
    Ok(keyless.chain(not_compared.map(|table| BeyondRest { table, why: Beyond::NotCompared })).collect())
}

impl RestReport {
    fn rest_on(&mut self, standing: &Standing, unit: &Unit) {
        let age = standing.of(&unit.target_name).and_then(|table| table.full_age_seconds).unwrap_or_default();
        self.full_age_seconds = self.full_age_seconds.max(age);
    }
}

/// Has the replicator of a migration note the keys that it writes from its next fence or start on. For a way back: to be
/// done while nobody has been led over yet.
///
/// # Errors
/// When a side cannot be reached, there is no such migration, or another proof of it runs.
pub async fn note_from_now_on(plan: &Plan) -> Result<(), Error> {
    let Some((ledger, survey, standing)) = open(plan).await? else { return Ok(()) };
    ledger.arm(&standing, &survey.units).await
}

/// Takes every table of a migration for compared row by row, `age` ago: another proof has found both sides equal at rest,
/// and this migration's replicator notes what it writes since before. `at` is the position of the plan's source then.
///
/// # Errors
/// When a side cannot be reached, or there is no such migration.
pub async fn take_for_proven(plan: &Plan, at: Lsn, age: Duration) -> Result<(), Error> {
    let Some((ledger, survey, standing)) = open(plan).await? else { return Ok(()) };
    ledger.take_for_proven(&standing, &survey.units, at, age).await
}

/// Takes no table of a migration for compared any more, until it is again: clients write to its target by now, and its
/// replicator notes nothing of that.
///
/// # Errors
/// When the target cannot be reached.
pub async fn forget_proven(plan: &Plan) -> Result<(), Error> {
    let (Scope::Drained { name } | Scope::Migration { name }) = &plan.scope else { return Ok(()) };
    let target = Session::connect_for_control(&plan.target, APPLICATION_NAME).await?;
    crate::proof::forget_proven(&target, name).await
}

async fn open(plan: &Plan) -> Result<Option<(Ledger, Survey, Standing)>, Error> {
    let (Scope::Drained { name } | Scope::Migration { name }) = &plan.scope else { return Ok(None) };
    let (source, target) = tokio::try_join!(
        Session::connect_for_control(&plan.source, APPLICATION_NAME),
        Session::connect_for_control(&plan.target, APPLICATION_NAME)
    )?;
    let survey = survey(plan, &source, &target).await?;
    let standing = Standing::read(&target, name).await?;
    match Ledger::open(plan, name).await? {
        Some(ledger) => Ok(Some((ledger, survey, standing))),
        None => Err(Error::AnotherProof { name: name.clone() }),
    }
}

/// No code that holds one of these locks can panic or wait.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
