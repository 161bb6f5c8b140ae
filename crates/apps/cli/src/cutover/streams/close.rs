//! Coming close: whatever takes time is done while clients are served, and is told, since it may take minutes.

use std::time::{Duration, Instant};

use atalaya_cutover::{Direction, PartError};
use atalaya_validate::{Error, Scope, Silent, validate};

use super::near::{Carrying, Near};
use super::{LOOK, Streams, of_validate};
use crate::global::note_line;

/// What is little to apply.
const CLOSE_BYTES: u64 = 1 << 20;
/// Passes over what was written, after a first one; what is left then is told by the proof at rest.
const PASSES_MAX: u32 = 3;
/// What took no longer is not told.
const QUICK: Duration = Duration::from_secs(1);

impl Streams {
    async fn until_close(&self, direction: Direction, limit: Duration) -> Result<(), PartError> {
        let until = Instant::now() + limit;
        loop {
            let status = self.status(direction).await?;
            if status.running && status.lag_bytes.is_some_and(|bytes| bytes <= CLOSE_BYTES) {
                return Ok(());
            }
            if Instant::now() >= until {
                let left =
                    status.lag_bytes.map_or_else(|| "nobody knows how much".to_owned(), atalaya_data::size::bytes);
                return Err(PartError {
                    text: format!("after {} s there was still too much to apply: {left}", limit.as_secs()),
                    hint: Some("see `atalaya migrate status`; try again at a quieter time".to_owned()),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The pause pays for each key that was written since the last look. So everything else that takes time comes before it;
    /// what was written during a first pass, which may be long, is left to a second one, and what was written during that to
    /// looks that need no fence.
    pub(super) async fn come_close(&self, direction: Direction, limit: Duration) -> Result<(), PartError> {
        self.until_close(direction, limit).await?;
        self.tell("comparing what was written since the last proof, while clients are served");
        self.prove_what_was_written(direction).await?;
        let mut near = Near::prepare(self, direction).await?;
        near.warm_up(self.endpoints.name.as_str(), limit).await?;
        *self.near.lock().await = Some(near);
        *self.carrying.lock().await = Some(Carrying::prepare(self, direction).await?);
        // A table of which too much was written while it was compared is compared again: its rows are in memory by then.
        for _ in 0..PASSES_MAX {
            self.until_close(direction, limit).await?;
            self.prove_what_was_written(direction).await?;
            self.look_ahead(limit).await?;
            if !self.with_near(async |near| near.needs_a_pass().await).await? {
                break;
            }
        }
        Ok(())
    }

    /// Everything is prepared: a look at what was written since is enough, or else all of it is done again.
    pub(super) async fn stay_close(&self, direction: Direction, limit: Duration) -> Result<(), PartError> {
        self.until_close(direction, limit).await?;
        self.look_ahead(limit).await?;
        match self.with_near(async |near| near.needs_a_pass().await).await? {
            true => self.come_close(direction, limit).await,
            false => Ok(()),
        }
    }

    async fn look_ahead(&self, limit: Duration) -> Result<(), PartError> {
        let began = Instant::now();
        let keys = self.with_near(async move |near| near.look_ahead(limit).await).await?;
        self.tell_compared(keys, began.elapsed());
        Ok(())
    }

    async fn prove_what_was_written(&self, direction: Direction) -> Result<(), PartError> {
        let began = Instant::now();
        let pass = self.proof(direction, |name| Scope::Migration { name });
        let passed = match validate(&pass, &Silent).await {
            // One that goes on all the time does the same.
            Err(Error::AnotherProof { .. }) => return Ok(()),
            passed => passed.map_err(of_validate)?,
        };
        self.tell_compared(passed.totals.source_rows, began.elapsed());
        if passed.is_clean() {
            return Ok(());
        }
        Err(PartError {
            text: "a proof of what was written since the last one is not clean".to_owned(),
            hint: Some("run `atalaya validate`".to_owned()),
        })
    }

    fn tell_compared(&self, rows: u64, took: Duration) {
        if took >= QUICK {
            self.tell(&format!("{rows} rows were compared in {:.1} s", took.as_secs_f64()));
        }
    }

    fn tell(&self, text: &str) {
        note_line(self.output, &format!("{}: {text}", self.endpoints.name));
    }
}
