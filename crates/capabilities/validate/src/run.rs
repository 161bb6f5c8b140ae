//! A validation from beginning to end: groups of tables, each in one pair of snapshots.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use atalaya_data::Lsn;
use atalaya_postgres::Session;
use atalaya_postgres::load::LoadGate;
use futures_util::future::try_join_all;

use crate::judge::{Judged, judge};
use crate::moment::{APPLICATION_NAME, Opened, Pair};
use crate::proof::Ledger;
use crate::repair::RowIdentity;
use crate::survey::{Survey, survey};
use crate::{Error, Event, Method, Moment, Plan, Progress, REPORT_VERSION, Report, Scope, Totals, looks, sequences};

/// Compares what the plan says and reports what was found.
///
/// # Errors
/// When there is no result at all: a side cannot be reached or goes away, nothing matches, no fence holds.
/// A table that cannot be compared is part of the report.
pub async fn validate(plan: &Plan, progress: &dyn Progress) -> Result<Report, Error> {
    run(plan, progress).await.map(|(report, _)| report)
}

/// The same, with the differing rows' identities where the plan wants them.
pub(crate) async fn run(plan: &Plan, progress: &dyn Progress) -> Result<(Report, Vec<RowIdentity>), Error> {
    let started_at = Instant::now();
    let (source, target) = tokio::try_join!(
        Session::connect_for_control(&plan.source, APPLICATION_NAME),
        Session::connect_for_control(&plan.target, APPLICATION_NAME)
    )?;
    let survey = survey(plan, &source, &target).await?;
    progress
        .tell(&Event::Surveyed { tables: survey.units.len(), bytes: survey.units.iter().map(|unit| unit.bytes).sum() });
    let ledger = open_ledger(plan).await?;
    let run = Run::new(plan, &source, &survey, ledger.as_ref(), progress);
    let first = run.compare_all().await?;
    let (mut judged, fences) = run.into_results();
    if let Scope::Databases { moment: Moment::Looks { pause, looks_max } } = plan.scope {
        looks::look_again(plan, &survey, progress, &mut judged, pause, looks_max).await?;
    }
    let quiesced = plan.scope.is_quiesced();
    let sequences = sequences::compare(&source, &target, |sequence| survey.takes_sequence(plan, sequence)).await?;
    let mut tables = Vec::with_capacity(judged.len());
    let mut identities = Vec::new();
    for judged in judged {
        tables.push(judged.report);
        identities.extend(judged.identities);
    }
    tables.sort_by(|one, other| one.source.cmp(&other.source));
    let mut report = Report {
        version: REPORT_VERSION,
        method: plan.method.to_string(),
        moment: match plan.scope {
            Scope::Migration { .. } => "fence",
            Scope::Drained { .. } | Scope::Databases { moment: Moment::Quiesced } => "quiesced",
            Scope::Databases { moment: Moment::Looks { .. } } => "looks",
        },
        fences,
        tables,
        skipped: survey.skipped,
        sequences,
        totals: Totals::default(),
        recorded: ledger.is_some(),
        strict_sequences: plan.strict_sequences || quiesced,
        seconds: started_at.elapsed().as_secs_f64(),
    };
    report.sum_up();
    if let (Some(ledger), Some((fence, at))) = (&ledger, first)
        && survey.complete
        && plan.only.is_none()
    {
        ledger.passed(fence, &at, report.unproven()).await?;
    }
    Ok((report, identities))
}

/// Where the proof is written down: of whole rows, and while a replicator notes what it writes.
async fn open_ledger(plan: &Plan) -> Result<Option<Ledger>, Error> {
    let Scope::Migration { name } = &plan.scope else { return Ok(None) };
    match (plan.method, Ledger::open(plan, name).await?) {
        (Method::Touched { .. }, None) => Err(Error::AnotherProof { name: name.clone() }),
        (Method::Full | Method::Touched { .. }, ledger) => Ok(ledger),
        (Method::Counts | Method::Sample(_), _) => Ok(None),
    }
}

/// A table still to be compared.
#[derive(Clone, Copy, Debug)]
struct Task {
    unit: usize,
    /// Whether it has been tried in a snapshot that was not young any more.
    tried: bool,
    /// How often it was found emptied or rewritten under its snapshot.
    rewritten: u32,
}

/// Tries with a table that is emptied again and again.
const REWRITTEN_MAX: u32 = 5;

struct Run<'all> {
    plan: &'all Plan,
    /// For questions about the source's load; what is compared has sessions of its own.
    source: &'all Session,
    gate: LoadGate,
    survey: &'all Survey,
    ledger: Option<&'all Ledger>,
    progress: &'all dyn Progress,
    queue: Mutex<VecDeque<Task>>,
    /// What needs newer snapshots than those that are open.
    later: Mutex<Vec<Task>>,
    judged: Mutex<Vec<Judged>>,
    fences: Mutex<Vec<Lsn>>,
}

impl<'all> Run<'all> {
    fn new(
        plan: &'all Plan,
        source: &'all Session,
        survey: &'all Survey,
        ledger: Option<&'all Ledger>,
        progress: &'all dyn Progress,
    ) -> Self {
        let mut units: Vec<usize> = (0..survey.units.len()).collect();
        // Largest first: the last worker is then not left alone with a long one.
        units.sort_by_key(|unit| std::cmp::Reverse(survey.units.get(*unit).map_or(0, |unit| unit.bytes)));
        let queue = units.into_iter().map(|unit| Task { unit, tried: false, rewritten: 0 });
        Self {
            plan,
            source,
            gate: LoadGate::new(plan.source_load),
            survey,
            ledger,
            progress,
            queue: Mutex::new(queue.collect()),
            later: Mutex::default(),
            judged: Mutex::default(),
            fences: Mutex::default(),
        }
    }

    fn into_results(self) -> (Vec<Judged>, Vec<Lsn>) {
        (
            self.judged.into_inner().unwrap_or_else(PoisonError::into_inner),
            self.fences.into_inner().unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Group after group, until no table is left; the first fence, and when it was.
    async fn compare_all(&self) -> Result<Option<(Lsn, String)>, Error> {
        let mut first = None;
        while !lock(&self.queue).is_empty() {
            // Before the snapshots, which grow old while they wait.
            self.pass_gate().await?;
            let opened = Opened::open(self.plan, self.ledger, &self.survey.units).await?;
            if first.is_none() {
                let at = opened.standing.as_ref().map(|standing| standing.at.clone());
                first = opened.fence.zip(at);
            }
            self.progress.tell(&Event::Opened { fence: opened.fence });
            lock(&self.fences).extend(opened.fence);
            try_join_all(opened.pairs.iter().map(|pair| self.work(&opened, pair))).await?;
            lock(&self.queue).extend(lock(&self.later).drain(..));
        }
        Ok(first)
    }

    async fn pass_gate(&self) -> Result<(), Error> {
        let told = |held| self.progress.tell(&Event::HeldBack { held });
        Ok(self.gate.pass(self.source, told).await?)
    }

    /// One worker of a group: takes tables while the snapshots are young.
    async fn work(&self, opened: &Opened, pair: &Pair) -> Result<(), Error> {
        let limit = self.plan.snapshot_age_limit;
        let mut first = true;
        loop {
            if !first {
                self.pass_gate().await?;
            }
            // The first is always taken, so that each group gets something done.
            if !first && opened.age() > limit / 2 {
                return Ok(());
            }
            first = false;
            let Some(task) = lock(&self.queue).pop_front() else {
                return Ok(());
            };
            let Some(unit) = self.survey.units.get(task.unit) else {
                continue;
            };
            self.progress.tell(&Event::Started { table: &unit.source_name });
            let young = opened.age() < limit / 10;
            let judged = judge(self.plan, self.survey, opened, pair, task.unit, unit).await?;
            if judged.out_of_time && !young && !task.tried {
                lock(&self.queue).push_back(Task { tried: true, ..task });
                return Ok(());
            }
            if judged.rewritten && task.rewritten + 1 < REWRITTEN_MAX {
                lock(&self.later).push(Task { rewritten: task.rewritten + 1, ..task });
                continue;
            }
            if let (Some(ledger), Some(standing), Some(fence), Some(verdict)) =
                (self.ledger, &opened.standing, opened.fence, &judged.verdict)
            {
                ledger.judge(unit, standing, fence, verdict).await?;
            }
            self.progress.tell(&Event::Finished { report: &judged.report });
            lock(&self.judged).push(judged);
        }
    }
}

/// No code that holds one of these locks can panic or wait.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
