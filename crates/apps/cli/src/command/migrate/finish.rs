//! `atalaya migrate finish`.

use std::time::Duration;

use atalaya_replicate::{Plan, StopWhen};

use super::plan::RunArguments;
use crate::command::validate::{self, LastProof};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::progress::Progress;
use crate::runtime;

/// Arguments of `atalaya migrate finish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate finish orders-to-18
  atalaya migrate finish orders-to-18 --full-proof

Tables whose rows were all proven equal within the last day (`atalaya validate`) are proven by the keys that were written
since; all others, and every table with --full-proof, row by row.

A run that follows the source is stopped first. Nothing may write to the source any more: what it commits after the
last fence stays there.")]
pub(crate) struct FinishArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Compare every row of every table once more, however lately that was done.
    #[arg(long)]
    full_proof: bool,
}

/// How long a run that follows may take to apply what is left.
const STOP_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Ends a run that follows: two runs exclude each other.
async fn end_running(plan: &Plan, context: &Context) -> Result<(), Failure> {
    let status = atalaya_replicate::status(&plan.source, &plan.target, &plan.name).await?;
    if status.is_some_and(|status| status.running && status.phase == "stream") {
        context.note("stopping the run that follows the source");
        atalaya_replicate::stop(&plan.source, &plan.target, &plan.name, STOP_LIMIT).await?;
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

pub(crate) fn run(arguments: &FinishArguments, context: &Context) -> Result<u8, Failure> {
    let (plan, endpoints) = arguments.run.plan(StopWhen::CaughtUp, context)?;
    if runtime::block_on(atalaya_replicate::is_proven(&plan))?? {
        let removed = runtime::block_on(atalaya_replicate::clean_up(&plan))??;
        context.print(
            &format!("{}: finished; both sides were proven equal before", endpoints.name),
            &serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": "finished", "removed": removed }),
        );
        return Ok(exit::DONE);
    }
    let progress = Progress::new(context.output);
    runtime::block_on(async {
        atalaya_replicate::may_finish(&plan).await?;
        end_running(&plan, context).await?;
        atalaya_replicate::start(&plan, &progress).await?;
        atalaya_replicate::last_fence(&plan).await?;
        Ok::<_, Failure>(())
    })??;
    progress.finish();
    let extent = if arguments.full_proof { LastProof::Full } else { LastProof::Touched };
    let report = runtime::block_on(validate::last_proof(&endpoints, extent, context))??;
    if !report.is_clean() {
        context.print(&atalaya_validate::render_text(&report), &validate::json(&report)?);
        return Err(Failure {
            code: validate::exit_code(&report),
            message: "both sides are not proven equal, so nothing was removed".to_owned(),
            hint: Some(
                "end all writes to the source, then run the same command again; \
                 `atalaya validate --repair` puts rows right while `atalaya migrate start` runs"
                    .to_owned(),
            ),
        });
    }
    let removed = runtime::block_on(async {
        atalaya_replicate::complete_schema(&plan).await?;
        refuse_late_writes(&plan, context).await?;
        Ok::<_, Failure>(atalaya_replicate::clean_up(&plan).await?)
    })??;
    context.print(
        &format!("{}{}: finished", atalaya_validate::render_text(&report), endpoints.name),
        &serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": "finished", "removed": removed,
                             "proof": validate::json(&report)? }),
    );
    Ok(exit::DONE)
}
