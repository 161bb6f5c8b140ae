//! The end of the move under faults: `migrate finish`, again and again until it is done.

use std::time::Duration;

use atalaya_verbs::{Error as VerbError, Proof, Validation};
use serde::Deserialize;
use tokio::time::Instant;

use super::run::{Ended, Run};
use super::supervisor::{Supervisor, strike_at};
use crate::Error;
use crate::faults::{Planned, wake};
use crate::report::Fault;

const NAME: &str = "by `migrate finish`";
const FINISH_LIMIT: Duration = Duration::from_secs(3 * 3600);
const DIFFERENT: i32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
struct Finished {
    proof: Option<Validation>,
}

impl Supervisor<'_> {
    /// Ends the move; the proof, unless a killed `finish` had made it before.
    pub(crate) async fn finish_under(&mut self, planned: &[Planned]) -> Result<Option<Proof>, Error> {
        let mut planned = planned;
        let mut runs = 0;
        loop {
            let arguments = self.program.arguments(&["migrate", "finish"], &self.extra.of_run());
            let mut run = Run::start(&self.program, &arguments)?;
            let fault = match planned.first().filter(|_| self.has_time()) {
                Some(planned) => self.strike_finish(&mut run, *planned).await?,
                None => None,
            };
            let ended = tokio::time::timeout(FINISH_LIMIT, run.into_ended()).await;
            let timed_out = |_| Error::Stuck { after: self.after.clone(), seconds: FINISH_LIMIT.as_secs(), runs };
            let ended = ended.map_err(timed_out)??;
            let is_done = ended.status.success();
            if let Some((fault, struck_at)) = fault {
                planned = planned.get(1..).unwrap_or_default();
                runs = 0;
                self.record(Fault {
                    outage_seconds: struck_at.elapsed().as_secs_f64(),
                    runs_again: u32::from(!is_done),
                    ..fault
                });
            }
            if is_done {
                return proof_of(&ended.stdout);
            }
            if ended.status.code() == Some(DIFFERENT) {
                return Err(different(ended));
            }
            runs += 1;
            self.expect_may_run_again(ended, runs)?;
            tokio::time::sleep(PAUSE).await;
            self.runs_again += 1;
        }
    }

    /// Strikes while `finish` runs; none when it ended before, and the fault is still to come.
    async fn strike_finish(&mut self, run: &mut Run, planned: Planned) -> Result<Option<(Fault, Instant)>, Error> {
        if tokio::time::timeout(planned.after, run.wait()).await.is_ok() {
            return Ok(None);
        }
        let phase = run.seen().phase;
        let struck_at = Instant::now();
        let Some(evidence) = strike_at(planned.kind, self.stage, run).await? else { return Ok(None) };
        wake(planned.kind, self.stage);
        self.after = format!("`{}` during `migrate finish`", planned.kind.text());
        let fault = Fault {
            kind: planned.kind.text(),
            during: "migrate finish",
            phase: if phase.is_empty() { "before its first step".to_owned() } else { phase },
            at_seconds: self.seconds(struck_at),
            evidence,
            runs_again: 0,
            outage_seconds: 0.0,
        };
        Ok(Some((fault, struck_at)))
    }
}

fn unreadable(source: serde_json::Error) -> Error {
    VerbError::Answer { line: "atalaya migrate finish".to_owned(), source }.into()
}

fn proof_of(stdout: &str) -> Result<Option<Proof>, Error> {
    let finished: Finished = serde_json::from_str(stdout).map_err(unreadable)?;
    Ok(finished.proof.map(|proof| proof.proof(NAME)))
}

/// What `finish` found, in its own words.
fn different(ended: Ended) -> Error {
    match serde_json::from_str::<Validation>(&ended.stdout) {
        Ok(found) => VerbError::Different { proof: NAME, found: found.proof(NAME).summary() }.into(),
        Err(source) => unreadable(source),
    }
}
