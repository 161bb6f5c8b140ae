//! `atalaya migrate finish`.

mod certified;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use atalaya_data::RelationName;
use atalaya_estate::TablePattern;
use atalaya_migration::{Engine, Migrations, Operation, Reached};
use atalaya_replicate::{AbortReport, OperationLock, Plan, Side, StopWhen};
use atalaya_route::Routes;
use atalaya_validate::{Report, SequenceReport, SequenceStatus, SkipVerdict, TableReport, TableStatus};

use self::certified::Decided;
use super::led::{self, Route};
use super::plan::RunArguments;
use crate::command::validate::{self, LastProof};
use crate::endpoints::Endpoints;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Finishing, Journal, Who};
use crate::progress::Progress;
use crate::runtime;

/// Arguments of `atalaya migrate finish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate finish orders-to-18
  atalaya migrate finish orders-to-18 --touched-proof

Every row of every table is compared once more, while the application stands still. With --touched-proof only the keys
that were written since, for tables whose rows were all proven equal within the last day (`atalaya validate`): quicker, and
blind to what anything but the move has changed meanwhile.

With clients on the new server (`migrate cutover`) nobody has to stop: both sides were proven equal when they were led
there, the certificate compares every row once more, and what leads back is removed.

A run that follows the source is stopped first. Nothing may write to the source any more: what it commits after the
last fence stays there.")]
pub(crate) struct FinishArguments {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    certificate: certified::CertifiedArguments,
    /// Tables whose rows may differ, by decision of their conflict policy: nobody makes them equal. May be repeated.
    #[arg(long, value_name = "PATTERN")]
    accept_differences: Vec<String>,
    /// Compare only the keys written since, where every row was proven equal within the last day.
    #[arg(long)]
    touched_proof: bool,
}

/// The tables whose differences are accepted; refuses those where no policy has decided any.
async fn accepted_tables(arguments: &FinishArguments, endpoints: &Endpoints) -> Result<Vec<RelationName>, Failure> {
    let mut accepted = Vec::new();
    if arguments.accept_differences.is_empty() {
        return Ok(accepted);
    }
    let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
    let tables = status.map(|status| status.tables).unwrap_or_default();
    for text in &arguments.accept_differences {
        let pattern = text
            .parse::<TablePattern>()
            .map_err(|error| Failure::new(exit::USAGE, &error, Some(error.hint().to_owned())))?;
        let before = accepted.len();
        for table in tables.iter().filter(|table| pattern.matches(&table.table)) {
            if table.conflicts == "stop" {
                return Err(Failure {
                    code: exit::REFUSED,
                    message: format!("differences of table {} cannot be accepted: its policy is `stop`", table.table),
                    hint: Some("only a conflict policy decides that rows stay different".to_owned()),
                });
            }
            accepted.push(table.table.clone());
        }
        if accepted.len() == before {
            return Err(Failure::usage(format!("`{text}` matches no table of the migration")));
        }
    }
    Ok(accepted)
}

/// Whether others write to the target, as far as policies tell.
async fn is_shared(endpoints: &Endpoints) -> Result<bool, Failure> {
    let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
    Ok(status.is_some_and(|status| status.tables.iter().any(|table| table.conflicts != "stop")))
}

/// Whether everything that differs is accepted.
fn is_accepted(report: &Report, accepted: &[RelationName], shared: bool) -> bool {
    let equal = |table: &TableReport| {
        table.status == TableStatus::Equal
            || (table.status == TableStatus::Different && accepted.contains(&table.source))
    };
    // Where others draw from the target's sequences, these are ahead of the source's.
    let ahead = |sequence: &SequenceReport| shared && sequence.status == SequenceStatus::Higher;
    report.tables.iter().all(equal)
        && report.skipped.iter().all(|skipped| skipped.verdict == SkipVerdict::Irrelevant)
        && (!report.strict_sequences || report.sequences.iter().all(ahead))
}

/// How long a run that follows may take to apply what is left.
const STOP_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Ends a run that follows: two runs exclude each other.
async fn end_running(plan: &Plan, context: &Context) -> Result<(), Failure> {
    let is_running = async || {
        let status = atalaya_replicate::status(&plan.source, &plan.target, &plan.name).await?;
        Ok::<_, Failure>(status.is_some_and(|status| status.running && status.phase == "stream"))
    };
    if is_running().await? {
        context.note("stopping the run that follows the source");
        let stopped = atalaya_replicate::stop(&plan.source, &plan.target, &plan.name, STOP_LIMIT).await;
        // One that has ended by itself meanwhile has stopped, too.
        if let Err(error) = stopped
            && is_running().await?
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Applies what has come since the proof, and refuses when there was any: it stands on both sides, but unproven. The
/// slot goes only when nothing came.
async fn refuse_late_writes(plan: &Plan, context: &Context) -> Result<(), Failure> {
    let changes = || async {
        let status = atalaya_replicate::status(&plan.source, &plan.target, &plan.name).await?;
        Ok::<_, Failure>(status.map_or(0, |status| status.changes))
    };
    let proven = changes().await?;
    let progress = Progress::new(context.output);
    let drained = atalaya_replicate::start(plan, &progress).await;
    progress.finish();
    drained?;
    let late = changes().await?.saturating_sub(proven);
    if late == 0 {
        return Ok(());
    }
    Err(Failure {
        code: exit::REFUSED,
        message: format!("{late} changes were written to the source after the proof had begun"),
        hint: Some(
            "they are applied, but nothing proves it and more may come: end all writes to the source, then run the same \
             command again"
                .to_owned(),
        ),
    })
}

/// The migration in the journal, and what its saga has done at the end.
struct Ending {
    /// Held until it is over: nobody leads the move's clients elsewhere.
    alone: OperationLock,
    /// Where they are led; read behind the lock.
    route: Option<Route>,
    journal: Journal,
    operation: Operation,
    engine: Arc<Finishing>,
    /// Whether an earlier call has proven it, and only what is ours is left to be removed.
    is_proven: bool,
}

impl Ending {
    /// The migration that the target knows. Where it knows none any more, one of which only the journal's last word is
    /// missing.
    async fn open(plan: &Arc<Plan>, endpoints: &Endpoints, context: &Context) -> Result<Self, Failure> {
        let alone = OperationLock::begin(&plan.target, plan.name.as_str()).await?;
        let status = atalaya_replicate::status(&plan.source, &plan.target, &plan.name).await?;
        let known = status.map(|status| journal::known_of(endpoints, &status)).transpose()?;
        let journal = match known {
            Some(_) => Some(Journal::open(context).await?),
            None => Journal::existing(context).await?,
        };
        let engine = Finishing::new(Arc::clone(plan));
        if let Some(journal) = journal {
            let engine_of_saga = Arc::clone(&engine) as Arc<dyn Engine>;
            let migrations = Migrations::open(journal.store.clone(), journal.tables.clone(), engine_of_saga)?;
            let is_known = known.is_some();
            let is_proven = known.as_ref().is_none_or(|known| known.reached == Reached::Finished);
            if let Some(operation) = migrations.find(&journal::subject_of(endpoints), known).await?
                && (is_known || operation.is_at_its_end().await?)
            {
                operation.refuse_way_back().await?;
                if !is_known && atalaya_replicate::has_slot(plan, &operation.id().slot_name()).await? {
                    return Err(forgotten(&operation));
                }
                let route = led::standing(endpoints, &Routes::new(journal.store.clone())).await?;
                return Ok(Self { alone, route, journal, operation, engine, is_proven });
            }
        }
        Err(unknown(endpoints))
    }

    /// Refuses where the lock is lost, or clients are led by another decision than at the beginning. Right before what nobody
    /// can undo.
    async fn stands(&self, endpoints: &Endpoints) -> Result<(), Failure> {
        self.alone.stands().await?;
        let route = led::standing(endpoints, &Routes::new(self.journal.store.clone())).await?;
        led::refuse_changed(self.route.as_ref(), route.as_ref())
    }

    /// Has nothing followed any more: from here on only what is ours is left to be removed.
    async fn end_following(&self, plan: &Plan, endpoints: &Endpoints) -> Result<(), Failure> {
        self.stands(endpoints).await?;
        Ok(atalaya_replicate::end_following(plan, &self.alone).await?)
    }

    /// Has everything of ours removed.
    async fn remove(
        &self,
        plan: &Plan,
        endpoints: &Endpoints,
        proof: serde_json::Value,
        context: &Context,
    ) -> Result<AbortReport, Failure> {
        self.stands(endpoints).await?;
        let finished = self.operation.finish(&Who::runs().by, proof).await;
        match (self.engine.answered(), finished) {
            (Some(Ok(report)), finished) => {
                // It is removed: whoever asked has to hear of it, and gets the certificate.
                let noted = self.operation.note(&[journal::removed(&report)]).await;
                if let Err(error) = finished.map(|_| ()).and(noted) {
                    let told = atalaya_data::chain(&error);
                    context.note(&format!("warning: the journal does not say yet that it is removed: {told}"));
                }
                Ok(report)
            }
            // The engine's own error says more.
            (Some(Err(error)), _) => Err(error.into()),
            // Somebody has ended the saga by hand.
            (None, Ok(_)) => Ok(atalaya_replicate::clean_up(plan).await?),
            (None, Err(error)) => Err(error.into()),
        }
    }
}

/// Its target was made anew, or its row deleted by hand, before what is ours was removed from the source.
fn forgotten(operation: &Operation) -> Failure {
    Failure {
        code: exit::REFUSED,
        message: format!(
            "the target knows nothing of `{}` any more, and its slot is on the source still",
            operation.id()
        ),
        hint: Some("`atalaya migrate abort --target-gone` removes what the source has of it".to_owned()),
    }
}

fn unknown(endpoints: &Endpoints) -> Failure {
    Failure {
        code: exit::REFUSED,
        message: format!("there is no migration `{}`", endpoints.name),
        hint: Some("see `atalaya migrate status`; a finished migration leaves nothing behind on the target".to_owned()),
    }
}

/// What an earlier call has proven, and was cut off from removing.
async fn clean_up_proven(
    ending: &Ending,
    plan: &Plan,
    endpoints: &Endpoints,
    context: &Context,
) -> Result<u8, Failure> {
    let removed = ending.remove(plan, endpoints, serde_json::Value::Null, context).await?;
    context.print(
        &format!("{}: finished; both sides were proven equal before", endpoints.name),
        &serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": "finished", "removed": removed }),
    );
    Ok(exit::DONE)
}

async fn status_of(plan: &Plan) -> Result<Option<atalaya_replicate::Status>, Failure> {
    Ok(atalaya_replicate::status(&plan.source, &plan.target, &plan.name).await?)
}

/// Ends a move whose clients have been led to the target: what they write there is on no other server but by the way
/// back, so that there is nothing to be applied or compared any more. Both sides were proven equal when clients were led
/// over.
async fn finish_led_over(
    arguments: &FinishArguments,
    plan: &Plan,
    endpoints: &Endpoints,
    ending: &Ending,
    context: &Context,
) -> Result<u8, Failure> {
    // While both directions run: only then do both sides stand at one position.
    let draft = arguments.certificate.draft_led_over(plan, endpoints, &ending.journal, context).await;
    end_running(plan, context).await?;
    atalaya_replicate::complete_schema(plan).await?;
    for told in atalaya_replicate::set_back_triggers(plan).await? {
        context.note(&format!("warning: {told}"));
    }
    ending.end_following(plan, endpoints).await?;
    let removed = ending.remove(plan, endpoints, serde_json::Value::Null, context).await?;
    let certified = arguments.certificate.certify(endpoints, draft, context).await;
    let mut text = format!("{}: finished; clients are on the new server, and the way back is gone", endpoints.name);
    let mut json =
        serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": "finished", "removed": removed });
    let code = certified.tell(context, Decided::Equal, &mut text, &mut json);
    context.print(&text, &json);
    Ok(code)
}

/// Ends a run that follows, applies what is left, and compares both sides.
async fn prove(
    arguments: &FinishArguments,
    plan: &Plan,
    endpoints: &Endpoints,
    shared: bool,
    context: &Context,
) -> Result<Report, Failure> {
    let progress = Progress::new(context.output);
    atalaya_replicate::may_finish(plan).await?;
    end_running(plan, context).await?;
    atalaya_replicate::start(plan, &progress).await?;
    atalaya_replicate::last_fence(plan, &progress).await?;
    progress.finish();
    // What others wrote, no change of the source has touched.
    let full = !arguments.touched_proof || shared;
    let extent = if full { LastProof::Full } else { LastProof::Touched };
    validate::last_proof(endpoints, extent, context).await
}

pub(crate) fn run(arguments: &FinishArguments, context: &Context) -> Result<u8, Failure> {
    let (plan, endpoints) = arguments.run.plan(StopWhen::CaughtUp, context)?;
    runtime::block_on(finish(arguments, &Arc::new(plan), &endpoints, context))?
}

async fn finish(
    arguments: &FinishArguments,
    plan: &Arc<Plan>,
    endpoints: &Endpoints,
    context: &Context,
) -> Result<u8, Failure> {
    let ending = Ending::open(plan, endpoints, context).await?;
    let ended = finish_known(arguments, plan, endpoints, &ending, context).await;
    ending.journal.close().await;
    ended
}

async fn finish_known(
    arguments: &FinishArguments,
    plan: &Plan,
    endpoints: &Endpoints,
    ending: &Ending,
    context: &Context,
) -> Result<u8, Failure> {
    let serving = status_of(plan).await?.map(|status| status.serving.unwrap_or_default());
    led::refuse_unsettled(endpoints, ending.route.as_ref(), serving)?;
    if ending.is_proven {
        return clean_up_proven(ending, plan, endpoints, context).await;
    }
    if serving == Some(Side::Target) {
        return finish_led_over(arguments, plan, endpoints, ending, context).await;
    }
    let (accepted, shared) = (accepted_tables(arguments, endpoints).await?, is_shared(endpoints).await?);
    let report = prove(arguments, plan, endpoints, shared, context).await?;
    let is_accepted = !report.is_clean() && is_accepted(&report, &accepted, shared);
    let proven = journal::proven(&report, is_accepted);
    ending.operation.note(proven.as_slice()).await?;
    ending.operation.reached(Reached::Stream).await?;
    if !report.is_clean() && !is_accepted {
        context.print(&atalaya_validate::render_text(&report), &validate::json(&report)?);
        return Err(Failure {
            code: validate::exit_code(&report),
            message: "both sides are not proven equal, so nothing was removed".to_owned(),
            hint: Some(
                "end all writes to the source, then run the same command again; \
                 `atalaya validate --repair` puts rows right while `atalaya migrate start` runs; rows that differ by a \
                 conflict policy's decision are left so with `--accept-differences`"
                    .to_owned(),
            ),
        });
    }
    atalaya_replicate::complete_schema(plan).await?;
    refuse_late_writes(plan, context).await?;
    // Before the snapshots of the certificate, which tells how the target stands for good.
    for told in atalaya_replicate::set_back_triggers(plan).await? {
        context.note(&format!("warning: {told}"));
    }
    // Told here, since the list goes with everything else of ours.
    let status = atalaya_replicate::status(&plan.source, &plan.target, &plan.name).await?;
    let conflicts = status.map(|status| status.conflicts).unwrap_or_default();
    let (workers, journal) = (plan.options.workers, &ending.journal);
    let draft = arguments.certificate.draft(endpoints, workers, &report, &accepted, journal).await?;
    ending.end_following(plan, endpoints).await?;
    let removed = ending.remove(plan, endpoints, serde_json::json!(proven), context).await?;
    let certified = arguments.certificate.certify(endpoints, draft, context).await;
    let accepted: Vec<String> = accepted.iter().map(ToString::to_string).collect();
    let mut text = atalaya_validate::render_text(&report);
    for count in &conflicts {
        let _infallible = writeln!(text, "conflict {}", super::conflicts::line_of(count));
    }
    if !accepted.is_empty() {
        let _infallible = writeln!(text, "differences accepted: {}", accepted.join(", "));
    }
    let _infallible = write!(text, "{}: finished", endpoints.name);
    let mut json = serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": "finished",
                                       "removed": removed, "proof": validate::json(&report)?, "accepted": accepted,
                                       "conflicts": conflicts });
    let decided = if report.is_clean() { Decided::Equal } else { Decided::Differences };
    let code = certified.tell(context, decided, &mut text, &mut json);
    context.print(&text, &json);
    Ok(code)
}
