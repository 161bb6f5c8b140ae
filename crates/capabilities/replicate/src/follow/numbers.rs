//! Sequences while changes are followed: read and set every few seconds, between two groups.

use std::collections::BTreeSet;
use std::time::Duration;

use atalaya_data::RelationName;
use tokio::time::Instant;

use super::state::Follower;
use crate::pace::Pace;
use crate::report::Event;
use crate::{Error, sequences};

/// How old what the target's sequences say may become.
const EVERY: Duration = Duration::from_secs(2);

/// When sequences were followed.
pub(crate) struct SequenceClock {
    last: Option<Instant>,
    pace: Pace,
    missing: BTreeSet<RelationName>,
}

impl Default for SequenceClock {
    fn default() -> Self {
        Self { last: None, pace: Pace::at_least(EVERY), missing: BTreeSet::new() }
    }
}

impl SequenceClock {
    /// How long ago the target's were set as the source's were; none when never yet.
    pub(super) fn age(&self) -> Option<Duration> {
        self.last.map(|at| at.elapsed())
    }
}

impl Follower<'_> {
    /// Follows sequences when it is time to. Not while a group is open: its TRUNCATE ... RESTART IDENTITY would keep us
    /// waiting for ourselves.
    pub(super) async fn follow_sequences_when_due(&mut self) -> Result<(), Error> {
        if self.sequences.pace.is_due() && !self.applier.is_open() { self.follow_sequences().await } else { Ok(()) }
    }

    /// Follows sequences now.
    pub(super) async fn follow_sequences(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        let followed = match self.pair {
            Some(_) => Ok(None),
            None => sequences::follow(self.opened.plan, self.opened.source, self.opened.target).await,
        };
        let missing = match followed {
            Ok(Some(missing)) => missing,
            Ok(None) => {
                self.sequences.last = None;
                self.sequences.pace.looked(begun);
                return Ok(());
            }
            // One was dropped between the list and the look at it.
            Err(Error::Postgres(error)) if error.sqlstate() == Some("42P01") => return Ok(()),
            Err(error) => return Err(error),
        };
        for name in missing {
            if self.sequences.missing.insert(name.clone()) {
                let text = format!(
                    "sequence {name} is not on the target: make it there like the source's, and its value follows"
                );
                self.opened.observer.observe(&Event::Warning { text });
            }
        }
        self.sequences.last = Some(begun);
        self.sequences.pace.looked(begun);
        Ok(())
    }
}
