//! Looks, while changes are followed, whether what was switched off has stayed so and nothing else has come.

use tokio::time::Instant;

use super::actor::Writers;
use super::off::{ForeignKeys, refuse_awake};
use crate::Error;
use crate::progress::Store;

/// A look takes at most one part in so many of a run's time.
const SHARE: u32 = 20;

/// What a run looks for, and when.
pub(crate) struct SilenceWatch {
    writers: Writers,
    foreign_keys: ForeignKeys,
    next: Option<Instant>,
}

impl SilenceWatch {
    /// A watch that looks at once.
    pub(crate) const fn new(writers: Writers, foreign_keys: ForeignKeys) -> Self {
        Self { writers, foreign_keys, next: None }
    }

    /// Looks, where it is time to.
    ///
    /// # Errors
    /// When something acts on rows of the move.
    pub(crate) async fn look(&mut self, store: &Store<'_>) -> Result<(), Error> {
        let begun = Instant::now();
        if self.next.is_some_and(|next| begun < next) {
            return Ok(());
        }
        refuse_awake(store, self.writers, self.foreign_keys).await?;
        self.next = Some(Instant::now() + begun.elapsed() * SHARE);
        Ok(())
    }
}
