//! The handle by which routes are read and decided.

use std::time::Duration;

use atalaya_eventstore::{
    Append, AppendId, Conflict, Direction, Event, Expected, Read, Selection, Store, StreamAppend, StreamName,
};

use crate::event::{Member, RouteEvent, STREAM_CATEGORY};
use crate::standing::{decided, opened, standing_of, version_of};
use crate::{Decision, Error, OpenEpoch, Standing};

/// No epoch holds clients for longer than this.
pub const LEASE_MAX: Duration = Duration::from_secs(600);
/// The most bytes of a text for people; the rest of it is left out.
const TEXT_BYTES_MAX: usize = 255;
/// How often an append is made again when its answer was lost.
const ATTEMPTS: u32 = 5;

/// The routes of a journal. Cheap to clone.
#[derive(Clone)]
pub struct Routes {
    store: Store,
}

/// What is appended to one route, on top of what.
pub(crate) struct Said {
    pub(crate) database: String,
    pub(crate) on_top_of: u64,
    pub(crate) event: RouteEvent,
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

    /// Leads clients to the epoch's place, and those of its group to theirs, unless they were closed before. What the journal
    /// says then of this one, whoever was first.
    ///
    /// # Errors
    /// When the epoch is a rehearsal; otherwise as [`Routes::standing`], and then it is not known what was decided.
    pub async fn flip(&self, epoch: &OpenEpoch, by: &str) -> Result<Decision, Error> {
        if epoch.opening.rehearsal {
            return Err(Error::Rehearsal { database: epoch.database.clone(), epoch: epoch.epoch });
        }
        let by = cut(by);
        let said = |Member { epoch, to, .. }| RouteEvent::Flipped { epoch, to, by: by.clone() };
        self.decide(epoch, said).await
    }

    /// Closes an epoch, and those of its group, unless they were decided before. What the journal says then of this one, whoever
    /// was first.
    ///
    /// # Errors
    /// As [`Routes::standing`]; it is not known then what was decided.
    pub async fn close(&self, epoch: &OpenEpoch, by: &str, reason: &str) -> Result<Decision, Error> {
        let (by, reason) = (cut(by), cut(reason));
        let said = |Member { epoch, .. }| RouteEvent::EpochClosed { epoch, by: by.clone(), reason: reason.clone() };
        self.decide(epoch, said).await
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

    /// Appends one event to each route of the group, each on top of its opening: where another decision stands behind one of
    /// them, it stands behind all of them, since no part of a group is ever decided alone.
    async fn decide(&self, epoch: &OpenEpoch, said: impl Fn(Member) -> RouteEvent) -> Result<Decision, Error> {
        let mut all = Vec::with_capacity(1 + epoch.with.len());
        for member in epoch.group() {
            let on_top_of = version_of(member.epoch).ok_or_else(|| unreadable(&member.database, 0))?;
            all.push(Said { database: member.database.clone(), on_top_of, event: said(member) });
        }
        let own = all.first().map(|own| own.event.clone());
        match self.append(all).await {
            Ok(()) => match own {
                Some(RouteEvent::Flipped { epoch, to, .. }) => Ok(Decision::Flipped { to, epoch }),
                Some(RouteEvent::EpochClosed { epoch, by, reason }) => Ok(Decision::Closed { by, reason, epoch }),
                _ => Err(unreadable(&epoch.database, 0)),
            },
            Err(Error::Journal(conflict @ atalaya_eventstore::Error::Conflict(Conflict::Version { .. }))) => {
                self.decision(epoch).await?.ok_or(Error::Journal(conflict))
            }
            Err(error) => Err(error),
        }
    }

    /// Appends one event to each route, or to none. One append whose answer was lost is made again under the same identity, which
    /// does nothing where it stands.
    pub(crate) async fn append(&self, all: Vec<Said>) -> Result<(), Error> {
        let mut streams = Vec::with_capacity(all.len());
        for Said { database, on_top_of, event } in all {
            let event = event.to_new().ok_or(Error::Unsuitable { reason: "it cannot be written" })?;
            let (stream, expected) = (stream(&database)?, Expected::Exact(on_top_of));
            streams.push(StreamAppend { stream, expected, events: vec![event] });
        }
        let append = Append { id: AppendId::generate(), streams, guards: Vec::new() };
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

pub(crate) fn unreadable(database: &str, version: u64) -> Error {
    Error::Unreadable { database: database.to_owned(), version }
}

/// As much of a text for people as is kept.
fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
