//! Looks, while changes are followed, whether what was switched off has stayed so and nothing else has come.

use std::time::Duration;

use tokio::time::Instant;

use super::actor::Writers;
use super::off::{ForeignKeys, refuse_awake, refuse_on_way_back};
use crate::pace::Pace;
use crate::progress::Store;
use crate::{Direction, Error};

/// What a run looks for, and when.
pub(crate) struct SilenceWatch {
    writers: Writers,
    direction: Direction,
    foreign_keys: ForeignKeys,
    pace: Pace,
}

impl SilenceWatch {
    /// A watch that looks at once.
    pub(crate) const fn new(writers: Writers, direction: Direction, foreign_keys: ForeignKeys) -> Self {
        Self { writers, direction, foreign_keys, pace: Pace::at_least(Duration::ZERO) }
    }

    /// Looks, where it is time to.
    ///
    /// # Errors
    /// When something acts on rows of the move.
    pub(crate) async fn look(&mut self, store: &Store<'_>) -> Result<(), Error> {
        let begun = Instant::now();
        if !self.pace.is_due() {
            return Ok(());
        }
        match self.direction {
            Direction::Forward => refuse_awake(store, self.writers, self.foreign_keys).await?,
            Direction::Back => refuse_on_way_back(store, self.writers).await?,
        }
        self.pace.looked(begun);
        Ok(())
    }
}
