//! The handle by which routes are read and decided.

use std::time::Duration;

use atalaya_eventstore::{
    Append, Conflict, Direction, Event, Expected, Read, Selection, Store, StreamName, append::DATA_BYTES_MAX,
};

use crate::event::{Led, RouteEvent, STREAM_CATEGORY};
use crate::standing::{decided, opened, standing_of, version_of};
use crate::{Decision, Error, OpenEpoch, Opening, Standing};

/// No epoch holds clients for longer than this.
pub const LEASE_MAX: Duration = Duration::from_secs(600);
/// The most bytes of a name, and of a reason; the rest of a reason is left out.
const TEXT_BYTES_MAX: usize = 255;
const GATES_MAX: usize = 1024;
/// How often an append is tried on top of what others write, or again when its answer was lost.
const ATTEMPTS: u32 = 5;

/// The routes of a journal. Cheap to clone.
#[derive(Clone)]
pub struct Routes {
    store: Store,
}

impl Routes {
    /// Routes in this journal.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The journal that they are in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where the clients of a database are led.
    ///
    /// # Errors
    /// When the journal does not answer, or holds what is not understood.
    pub async fn standing(&self, database: &str) -> Result<Standing, Error> {
        let selection = Selection::Stream(stream(database)?);
        let read = Read { selection, direction: Direction::Backward, from: None, limit: 2 };
        standing_of(database, &self.store.read(read).await?.events)
    }

    /// Opens an epoch: from here on somebody has to decide it.
    ///
    /// # Errors
    /// A refusal ([`Error::is_refusal`]) when one is open, or clients are elsewhere; otherwise as [`Routes::standing`].
    pub async fn open(&self, database: &str, opening: Opening) -> Result<OpenEpoch, Error> {
        check(&opening)?;
        for _ in 0..ATTEMPTS {
            let standing = self.standing(database).await?;
            if let Some(open) = standing.open {
                let (epoch, migration) = (open.epoch, open.opening.migration);
                return Err(Error::Open { database: database.to_owned(), epoch, migration });
            }
            let leads_to = standing.leads_to.as_ref().map_or(database, |led| &led.to);
            if leads_to != opening.from {
                let (database, leads_to) = (database.to_owned(), leads_to.to_owned());
                return Err(Error::Elsewhere { database, leads_to, from: opening.from });
            }
            let epoch = standing.last_epoch + 1;
            let said = event_of(epoch, &opening, standing.leads_to);
            let on_top_of = standing.last_epoch.saturating_mul(2);
            match self.append(database, on_top_of, &said).await {
                Ok(()) => {
                    let opened = self.epoch(database, epoch).await?;
                    let (opened, _) = opened.ok_or_else(|| unreadable(database, on_top_of + 1))?;
                    return Ok(opened);
                }
                Err(Error::Journal(atalaya_eventstore::Error::Conflict(Conflict::Version { .. }))) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended { database: database.to_owned(), attempts: ATTEMPTS })
    }

    /// Leads clients to the epoch's place, unless it was closed before. What the journal says then, whoever was first.
    ///
    /// # Errors
    /// When the epoch is a rehearsal; otherwise as [`Routes::standing`], and then it is not known what was decided.
    pub async fn flip(&self, epoch: &OpenEpoch, by: &str) -> Result<Decision, Error> {
        if epoch.opening.rehearsal {
            return Err(Error::Rehearsal { database: epoch.database.clone(), epoch: epoch.epoch });
        }
        let to = epoch.opening.to.clone();
        self.decide(epoch, RouteEvent::Flipped { epoch: epoch.epoch, to, by: cut(by) }).await
    }

    /// Closes an epoch, unless it was decided before. What the journal says then, whoever was first.
    ///
    /// # Errors
    /// As [`Routes::standing`]; it is not known then what was decided.
    pub async fn close(&self, epoch: &OpenEpoch, by: &str, reason: &str) -> Result<Decision, Error> {
        let closed = RouteEvent::EpochClosed { epoch: epoch.epoch, by: cut(by), reason: cut(reason) };
        self.decide(epoch, closed).await
    }

    /// What was decided about an epoch; none as long as nothing is.
    ///
    /// # Errors
    /// As [`Routes::standing`].
    pub async fn decision(&self, epoch: &OpenEpoch) -> Result<Option<Decision>, Error> {
        let events = self.from(&epoch.database, version_of(epoch.epoch).map(|version| version + 1), 1).await?;
        events.first().map(|event| decided(&epoch.database, event)).transpose()
    }

    /// An epoch by its number, with what was decided about it; none where there is none.
    ///
    /// # Errors
    /// As [`Routes::standing`].
    pub async fn epoch(&self, database: &str, epoch: u64) -> Result<Option<(OpenEpoch, Option<Decision>)>, Error> {
        let events = self.from(database, version_of(epoch), 2).await?;
        let Some(first) = events.first() else { return Ok(None) };
        let decision = events.get(1).map(|event| decided(database, event)).transpose()?;
        Ok(Some((opened(database, first)?, decision)))
    }

    /// How much is left of an epoch's lease, counted from its opening by the journal's clock.
    ///
    /// # Errors
    /// As [`Routes::standing`].
    pub async fn lease_left(&self, epoch: &OpenEpoch) -> Result<Duration, Error> {
        let since_us = self.store.now_us().await?.saturating_sub(epoch.opened_at_us);
        // A clock that was set back must not make a lease longer than it was ever meant to be.
        let since = Duration::from_micros(u64::try_from(since_us).unwrap_or(0));
        Ok(epoch.opening.lease.min(LEASE_MAX).saturating_sub(since))
    }

    async fn decide(&self, epoch: &OpenEpoch, said: RouteEvent) -> Result<Decision, Error> {
        let database = &epoch.database;
        let opened_at = version_of(epoch.epoch).ok_or_else(|| unreadable(database, 0))?;
        match self.append(database, opened_at, &said).await {
            Ok(()) => Ok(match said {
                RouteEvent::Flipped { epoch, to, .. } => Decision::Flipped { to, epoch },
                RouteEvent::EpochClosed { epoch, by, reason } => Decision::Closed { by, reason, epoch },
                RouteEvent::EpochOpened { .. } => return Err(unreadable(database, opened_at + 1)),
            }),
            Err(Error::Journal(atalaya_eventstore::Error::Conflict(Conflict::Version { actual, .. })))
                if actual > opened_at =>
            {
                self.decision(epoch).await?.ok_or_else(|| unreadable(database, opened_at + 1))
            }
            Err(error) => Err(error),
        }
    }

    /// Appends one event on top of a version. One whose answer was lost is appended again under the same identity, which does
    /// nothing where it stands.
    async fn append(&self, database: &str, version: u64, said: &RouteEvent) -> Result<(), Error> {
        let event = said.to_new().ok_or(Error::Unsuitable { reason: "it cannot be written" })?;
        let append = Append::to_stream(stream(database)?, Expected::Exact(version), vec![event]);
        let mut attempts = 1;
        loop {
            match self.store.append(append.clone()).await {
                Ok(_) => return Ok(()),
                Err(atalaya_eventstore::Error::Unknown { .. }) if attempts < ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn from(&self, database: &str, version: Option<u64>, limit: u32) -> Result<Vec<Event>, Error> {
        let Some(version) = version else { return Ok(Vec::new()) };
        Ok(self.store.read(Read::stream_from(stream(database)?, version, limit)).await?.events)
    }
}

fn stream(database: &str) -> Result<StreamName, Error> {
    StreamName::new(format!("{STREAM_CATEGORY}-{database}"))
        .map_err(|source| Error::Name { database: database.to_owned(), source })
}

fn unreadable(database: &str, version: u64) -> Error {
    Error::Unreadable { database: database.to_owned(), version }
}

fn event_of(epoch: u64, opening: &Opening, led: Option<Led>) -> RouteEvent {
    let Opening { migration, from, to, gates, lease, lift, rehearsal } = opening.clone();
    RouteEvent::EpochOpened {
        epoch,
        migration,
        from,
        to,
        gates,
        lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        lift,
        rehearsal,
        led,
    }
}

/// Refuses what would not fit, or would hold clients for ever.
fn check(opening: &Opening) -> Result<(), Error> {
    let refuse = |reason| Err(Error::Unsuitable { reason });
    let names = [&opening.migration, &opening.from, &opening.to];
    if names.into_iter().chain(&opening.gates).any(|name| name.is_empty() || name.len() > TEXT_BYTES_MAX) {
        return refuse("a name is empty, or longer than 255 bytes");
    }
    if opening.gates.len() > GATES_MAX {
        return refuse("more than 1024 gates");
    }
    if opening.from == opening.to {
        return refuse("clients are there already");
    }
    if opening.lease < Duration::from_millis(1) || opening.lease > LEASE_MAX {
        return refuse("a lease is from a millisecond to ten minutes long");
    }
    // JSON may need more than a byte for one, and there are the gates besides.
    if opening.lift.iter().map(String::len).sum::<usize>() > DATA_BYTES_MAX / 8 {
        return refuse("what lifts the fence is longer than 128 KiB");
    }
    Ok(())
}

/// As much of a text for people as is kept.
fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
