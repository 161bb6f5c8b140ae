//! What is left of the pause, and how long each stage of it took.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::Error;
use crate::course::Limits;
use crate::report::{Report, Stage, micros};

/// The stage in which gates are closed, before anything is fenced: what it cannot do in time has cut nothing.
pub(crate) const DRAIN: &str = "drain";

/// Counts from the moment at which the first gate is asked to close.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    began: Instant,
    work_until: Instant,
    drain_max: Duration,
}

/// A stage that ended.
#[derive(Clone, Copy)]
pub(super) struct Took {
    stage: &'static str,
    began: Instant,
    ended: Instant,
}

impl Timing {
    pub(super) fn start(limits: &Limits) -> Self {
        let began = Instant::now();
        Self { began, work_until: began + limits.work(), drain_max: limits.drain() }
    }

    /// How long transactions are waited for.
    pub(super) const fn drain_max(&self) -> Duration {
        self.drain_max
    }

    /// How long a stage may take.
    pub(super) fn left(&self) -> Duration {
        self.work_until.saturating_duration_since(Instant::now())
    }

    /// Runs a stage within what is left.
    pub(super) async fn within<T>(
        &self,
        stage: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<(T, Took), Error> {
        let (began, left) = (Instant::now(), self.left());
        let done = tokio::time::timeout(left, work).await.unwrap_or(Err(Error::OutOfTime { stage, left }))?;
        Ok((done, Took { stage, began, ended: Instant::now() }))
    }

    /// Runs what has to be done however long it takes.
    pub(super) async fn measured<T>(&self, stage: &'static str, work: impl Future<Output = T>) -> (T, Took) {
        let began = Instant::now();
        let done = work.await;
        (done, Took { stage, began, ended: Instant::now() })
    }

    /// Adds a stage to the report.
    pub(super) fn note(&self, took: Took, report: &mut Report) {
        report.stages.push(Stage {
            stage: took.stage.to_owned(),
            began_us: micros(took.began.saturating_duration_since(self.began)),
            took_us: micros(took.ended.saturating_duration_since(took.began)),
        });
    }

    /// How long ago the first gate was asked to close.
    pub(super) fn so_far_us(&self) -> u64 {
        micros(self.began.elapsed())
    }
}
