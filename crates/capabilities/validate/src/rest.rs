//! The proof at rest: both sides stand still and hold the same commits, and what was written since the last proof is
//! compared directly.
//!
//! Whoever leads clients from one server to the other proves within the pause, in which every millisecond counts. So all
//! that can be done before is: connections, catalogs, what is compared and how. Within it the cost is that of the keys
//! that were written since the last comparison, never that of whole tables, except of those that are small. There is no
//! fence and no slot: both sides are at rest already. Nothing is written: what is noted stays noted for the next pass at a
//! fence, which may only remove what its replicator knows to be removed.

mod ahead;
mod beyond;
mod noted;
mod quick;
mod way_back;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use atalaya_data::RelationName;
use atalaya_postgres::{Session, Statement};
use futures_util::future::try_join_all;

pub use self::ahead::LookedAhead;
pub use self::beyond::{Beyond, BeyondRest, beyond_rest};
pub use self::way_back::{forget_proven, note_from_now_on, take_for_proven};

use self::ahead::Ahead;
use self::noted::Noted;
use self::quick::Lookups;
use crate::judge::judge;
use crate::moment::{APPLICATION_NAME, Opened, Pair, connect_all};
use crate::proof::{Decision, NotedKeys, Standing, decide};
use crate::rewritten::any_rewritten;
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
    /// Asks the replicator.
    control: Session,
    /// Statements of the first session of each side.
    notes: Statement,
    lookups: Lookups,
    ahead: Ahead,
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
        let (source, target, control) =
            tokio::try_join!(connect_all(&plan.source, workers), connect_all(&plan.target, workers), async {
                Ok(Session::connect_for_control(&plan.target, APPLICATION_NAME).await?)
            })?;
        let (Some(first), Some(other)) = (source.first(), target.first()) else { return Err(shape) };
        let survey = survey(&plan, first, other).await?;
        let notes = Noted::prepare(other).await?;
        let (lookups, ahead) = (Lookups::default(), Ahead::default());
        Ok(Self {
            plan,
            migration,
            full_age_max,
            full_rows_max,
            survey,
            source,
            target,
            control,
            notes,
            lookups,
            ahead,
        })
    }

    /// Tables with a key that a pass would leave unproven as things are now, until they are proven at a fence again: each
    /// was written as a whole, or more of it than is noted key by key.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn beyond_now(&self) -> Result<Vec<RelationName>, Error> {
        let standing = Standing::read(&self.control, &self.migration).await?;
        let beyond = self.survey.units.iter().filter(|unit| {
            let unproven = decide(unit, &standing, self.full_age_max) == Decision::Full;
            unproven && !unit.key.is_empty() && !is_small(unit, self.full_rows_max)
        });
        Ok(beyond.map(|unit| unit.source_name.clone()).collect())
    }

    /// Compares what was written since, once both sides are at rest: the one that is left is shut, and everything that
    /// was committed there is applied. No statement goes on for longer than the limit, whether or not somebody still waits.
    ///
    /// # Errors
    /// When a connection is lost. A table that cannot be compared is part of the report.
    pub async fn pass(&mut self, limit: Duration) -> Result<RestReport, Error> {
        let began = Instant::now();
        let (source, target) = (std::mem::take(&mut self.source), std::mem::take(&mut self.target));
        let mut opened = Opened::at_rest(&self.plan, limit, source, target);
        opened.begin_each().await?;
        let Some(first) = opened.pairs.first() else { return Err(Error::Shape { action: "proving at rest" }) };
        let (standing, noted) = tokio::try_join!(
            Standing::read(&first.target, &self.migration),
            Noted::read(&first.target, &self.notes, &self.migration, &self.ahead)
        )?;
        let mut report = RestReport::of(&self.survey);
        let (mut keyed, mut queue) = (Vec::new(), VecDeque::new());
        for (number, unit) in self.survey.units.iter().enumerate() {
            match decide(unit, &standing, self.full_age_max) {
                Decision::Untouched => {
                    report.proven += 1;
                    report.rest_on(&standing, unit);
                }
                Decision::Keys => {
                    report.rest_on(&standing, unit);
                    match noted.of(&unit.target_name) {
                        Some(keys) => keyed.push((number, unit, keys)),
                        None => queue.push_back((number, unit)),
                    }
                }
                Decision::Full if is_small(unit, self.full_rows_max) => queue.push_back((number, unit)),
                Decision::Full => report.unproven.push(unit.source_name.clone()),
            }
        }
        queue.extend(compare_quickly(&mut self.lookups, first, &keyed, &mut report).await?);
        if !queue.is_empty() {
            opened.standing = Some(standing);
            let (queue, told) = (Mutex::new(queue), Mutex::new(report));
            try_join_all(opened.pairs.iter().map(|pair| self.work(&opened, pair, &queue, &told))).await?;
            report = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        }
        for pair in opened.into_ended().await? {
            self.source.push(pair.source);
            self.target.push(pair.target);
        }
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

/// A table, and its keys that are looked up.
type Keyed<'all> = (usize, &'all Unit, &'all NotedKeys);

/// Compares rows by their keys; answers with the tables that are not equal, or of which it cannot tell.
async fn compare_quickly<'all>(
    lookups: &mut Lookups,
    pair: &Pair,
    keyed: &[Keyed<'all>],
    report: &mut RestReport,
) -> Result<Vec<(usize, &'all Unit)>, Error> {
    if keyed.is_empty() {
        return Ok(Vec::new());
    }
    pair.set_savepoint().await?;
    let equal = match compare_all(lookups, pair, keyed).await {
        // Of which table the server says it is told by who looks at each.
        Err(Error::Postgres(error)) if error.sqlstate().is_some() => vec![None; keyed.len()],
        compared => compared?,
    };
    pair.roll_back().await?;
    let mut unequal = Vec::new();
    for ((number, unit, keys), rows) in keyed.iter().zip(equal) {
        match rows {
            Some(rows) => {
                report.proven += 1;
                report.keys += u64::try_from(keys.len()).unwrap_or(u64::MAX);
                report.rows += rows;
            }
            None => unequal.push((*number, *unit)),
        }
    }
    Ok(unequal)
}

/// Of each table the rows that were compared; none where it is not equal, or not known to be.
async fn compare_all(lookups: &mut Lookups, pair: &Pair, keyed: &[Keyed<'_>]) -> Result<Vec<Option<u64>>, Error> {
    let mut can_tell = Vec::with_capacity(keyed.len());
    for (number, unit, keys) in keyed {
        can_tell.push(lookups.prepare((&pair.source, &pair.target), (*number, unit), keys).await?);
    }
    pair.prefer_indexes().await?;
    let lookups = &*lookups;
    let asked = keyed.iter().zip(&can_tell).map(|((number, unit, keys), can_tell)| async move {
        if *can_tell { lookups.compare(pair, (*number, unit), keys).await } else { Ok(None) }
    });
    let units: Vec<&Unit> = keyed.iter().map(|(_, unit, _)| *unit).collect();
    let equal = try_join_all(asked).await?;
    // Asked after the look, whose locks keep the tables as they are.
    Ok(if any_rewritten(pair, &units).await? { vec![None; keyed.len()] } else { equal })
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

impl RestReport {
    fn of(survey: &Survey) -> Self {
        Self {
            proven: 0,
            keys: 0,
            rows: 0,
            different: Vec::new(),
            missing: left_out(survey, crate::SkipVerdict::Difference),
            unproven: left_out(survey, crate::SkipVerdict::NotProven),
            full_age_seconds: 0.0,
            seconds: 0.0,
        }
    }

    fn rest_on(&mut self, standing: &Standing, unit: &Unit) {
        let age = standing.of(&unit.target_name).and_then(|table| table.full_age_seconds).unwrap_or_default();
        self.full_age_seconds = self.full_age_seconds.max(age);
    }
}

/// No code that holds one of these locks can panic or wait.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
