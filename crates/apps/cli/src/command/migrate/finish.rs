//! `atalaya migrate finish`.

use std::path::PathBuf;
use std::time::Duration;

use atalaya_replicate::{Plan, StopWhen};

use atalaya_validate::{Certificate, CertificateDraft, Report};

use super::plan::RunArguments;
use crate::command::validate;
use crate::command::validate::certificate::Written;
use crate::endpoints::Endpoints;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::progress::Progress;
use crate::runtime;

/// Arguments of `atalaya migrate finish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate finish orders-to-18

A run that follows the source is stopped first. Nothing may write to the source any more: what it commits after the
last fence stays there.")]
pub(crate) struct FinishArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Where the move's certificate is written, as FILE.html and FILE.json; unless told otherwise, in the folder
    /// `certificates` of the local state.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Make no certificate.
    #[arg(long, conflicts_with = "certificate")]
    no_certificate: bool,
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
    let report = runtime::block_on(validate::last_proof(&endpoints, context))??;
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
    let (removed, certified) = runtime::block_on(async {
        atalaya_replicate::complete_schema(&plan).await?;
        refuse_late_writes(&plan, context).await?;
        // The snapshots are opened while nothing writes; every row is hashed in them once the move has ended.
        let draft = match arguments.no_certificate {
            true => None,
            false => Some(draft(&endpoints, plan.options.workers, &report).await?),
        };
        let removed = atalaya_replicate::clean_up(&plan).await?;
        Ok::<_, Failure>((removed, certify(arguments, &endpoints, draft, context).await))
    })??;
    let mut text = format!("{}{}: finished", atalaya_validate::render_text(&report), endpoints.name);
    let mut json = serde_json::json!({ "version": 1, "migration": endpoints.name, "outcome": "finished",
                                       "removed": removed, "proof": validate::json(&report)? });
    let code = certified.tell(context, &mut text, &mut json);
    context.print(&text, &json);
    Ok(code)
}

/// Opens what the certificate is made in; that it cannot be is told before anything is removed.
async fn draft(endpoints: &Endpoints, workers: usize, proof: &Report) -> Result<CertificateDraft, Failure> {
    let draft = validate::certificate::draft_at_finish(endpoints, workers, proof).await;
    draft.map_err(|failure| Failure {
        message: format!("the certificate cannot be made, so nothing was removed: {}", failure.message),
        hint: Some("put that right and run the same command again, or finish with --no-certificate".to_owned()),
        ..failure
    })
}

/// What became of the certificate of a move that has ended.
enum Certified {
    NotAsked,
    Written { files: Written, certificate: Box<Certificate> },
    Failed(Failure),
}

async fn certify(
    arguments: &FinishArguments,
    endpoints: &Endpoints,
    draft: Option<CertificateDraft>,
    context: &Context,
) -> Certified {
    let Some(draft) = draft else { return Certified::NotAsked };
    context.note("finished: the application may use the target; the certificate is being made");
    let made = async {
        let certificate = draft.complete().await?;
        let path = arguments.certificate.clone();
        let path = path.unwrap_or_else(|| validate::certificate::default_path(&certificate, endpoints, context));
        let files = validate::certificate::write(&certificate, &path)?;
        Ok::<_, Failure>(Certified::Written { files, certificate: Box::new(certificate) })
    };
    made.await.unwrap_or_else(Certified::Failed)
}

impl Certified {
    /// Says it; the answer is the exit code.
    fn tell(&self, context: &Context, text: &mut String, json: &mut serde_json::Value) -> u8 {
        match self {
            Self::NotAsked => exit::DONE,
            Self::Failed(failure) => {
                context.note(&format!("warning: the move has ended, without its certificate: {}", failure.message));
                exit::DONE
            }
            Self::Written { files, certificate } => {
                text.push_str(&format!("\ncertificate: {}", files.html.display()));
                if let Some(members) = json.as_object_mut() {
                    members.insert("certificate".to_owned(), files.json());
                }
                if certificate.rows_are_equal() {
                    return exit::DONE;
                }
                text.push_str("\nDIFFERENT: the certificate found rows or sequences that are not equal");
                exit::DIFFERENT
            }
        }
    }
}
