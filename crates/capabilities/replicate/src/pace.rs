//! How often something is looked at while changes are followed: as often as it costs little, however large a catalog is.

use std::time::Duration;

use tokio::time::Instant;

/// A look takes at most one part in so many of a run's time.
const SHARE: u32 = 20;

/// When to look again. The first look comes at once.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next: Option<Instant>,
    least: Duration,
}

impl Pace {
    /// One at which no two looks are closer to each other than this.
    pub(crate) const fn at_least(least: Duration) -> Self {
        Self { next: None, least }
    }

    /// Whether it is time to look.
    pub(crate) fn is_due(&self) -> bool {
        self.next.is_none_or(|next| Instant::now() >= next)
    }

    /// Says that a look has ended that began then.
    pub(crate) fn looked(&mut self, begun: Instant) {
        let now = Instant::now();
        self.next = Some(now + (now.duration_since(begun) * SHARE).max(self.least));
    }

    /// Has the next look come at once.
    pub(crate) fn look_soon(&mut self) {
        self.next = None;
    }
}
