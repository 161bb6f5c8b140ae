//! Aggregates: what a stream's events come to, and the commands that add to them.

use std::marker::PhantomData;

use atalaya_eventstore::{
    Append, AppendId, Appended, Conflict, Event, EventType, Expected, NewEvent, Read, Snapshot, Store, StreamName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::projection::Poison;
use crate::variant::variant_of;

const PAGE: u32 = 1000;

/// What a stream's events come to. A new one has no events. It needs to hold only what something is decided by: what is
/// shown to people stands in tables.
pub trait Aggregate: Default + Serialize + DeserializeOwned + Send {
    /// What its streams' names begin with.
    const CATEGORY: &'static str;
    /// Names the shape of its state, and changes with it: snapshots with another mark are left alone, and made anew.
    const MARK: &'static str = "1";
    /// What can happen to it; stored as JSON.
    type Event: Serialize + DeserializeOwned + Send + Sync;

    /// The type that an event is stored under: the name of its variant, as serde writes it; of what is no enum, the category.
    fn event_type(event: &Self::Event) -> &'static str {
        variant_of(event).unwrap_or(Self::CATEGORY)
    }

    /// Goes on by one event. Never fails: what has happened has happened.
    fn apply(&mut self, event: &Self::Event);

    /// What an event of its streams says, for projections.
    ///
    /// # Errors
    /// When it was erased, or is none of this aggregate's.
    fn read(event: &Event) -> Result<Self::Event, Poison> {
        let data = event.data.as_deref().ok_or_else(|| Poison("the event was erased".to_owned()))?;
        // Without serde's words, which may quote a value.
        serde_json::from_slice(data).map_err(|_| Poison(format!("the event is none of a `{}`", Self::CATEGORY)))
    }
}

/// An aggregate as it was read.
#[derive(Clone, Debug)]
pub struct Loaded<A> {
    /// What its events come to.
    pub state: A,
    /// The version of its last event; 0 for none.
    pub version: u64,
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Executed<A> {
    /// The aggregate with what the command has added.
    pub state: A,
    /// Where its events stand; none where the command had nothing to add. A reader waits for its `last` position.
    pub appended: Option<Appended>,
}

/// Why a command was not carried out; but for [`CommandError::Unknown`], nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E> {
    /// The aggregate does not allow it.
    #[error("the command is not allowed")]
    Refused(#[source] E),
    /// Others changed the aggregate at every attempt.
    #[error("the stream `{stream}` was changed by others at each of {attempts} attempts")]
    Contended {
        /// The aggregate's stream.
        stream: StreamName,
        /// How often it was tried.
        attempts: u32,
    },
    /// Whether it was carried out is not known, however often the journal was asked: load the aggregate and look.
    #[error("it is not known whether the command on `{stream}` was carried out")]
    Unknown {
        /// The aggregate's stream.
        stream: StreamName,
        /// Why.
        #[source]
        source: atalaya_eventstore::Error,
    },
    /// The identity makes no stream.
    #[error(transparent)]
    Name(#[from] atalaya_eventstore::NameError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] atalaya_eventstore::Error),
    /// An event of the stream is none of this aggregate's.
    #[error("the stream `{stream}` holds an event at version {version} that cannot be read")]
    Unreadable {
        /// The stream.
        stream: StreamName,
        /// Where.
        version: u64,
    },
    /// An event cannot be written as JSON.
    #[error("an event of the command cannot be written")]
    Unwritable(#[source] serde_json::Error),
}

/// Aggregates of one kind in a journal.
pub struct Aggregates<A> {
    store: Store,
    attempts: u32,
    snapshot_every: Option<u64>,
    kind: PhantomData<fn() -> A>,
}

impl<A> Clone for Aggregates<A> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), kind: PhantomData, ..*self }
    }
}

impl<A: Aggregate> Aggregates<A> {
    /// Aggregates of a journal, without snapshots; a command is tried ten times on top of what others change.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, attempts: 10, snapshot_every: None, kind: PhantomData }
    }

    /// The same with a snapshot each time that so many events have come. Only where the state holds nothing personal: a
    /// snapshot is not sealed.
    #[must_use]
    pub fn with_snapshots_every(mut self, events: u64) -> Self {
        self.snapshot_every = Some(events.max(1));
        self
    }

    /// The stream of one of them.
    ///
    /// # Errors
    /// When the identity makes no name.
    pub fn stream(id: &str) -> Result<StreamName, atalaya_eventstore::NameError> {
        StreamName::new(format!("{}-{id}", A::CATEGORY))
    }

    /// One of them as its events tell; a new one where there are none.
    ///
    /// # Errors
    /// When the journal or one of its events cannot be read.
    pub async fn load<E>(&self, id: &str) -> Result<Loaded<A>, CommandError<E>> {
        let stream = Self::stream(id)?;
        let mut loaded = self.latest_snapshot(&stream).await?;
        let mut pages = self.store.pages(Read::stream_from(stream.clone(), loaded.version + 1, PAGE));
        while let Some(events) = pages.next().await? {
            for event in events {
                let unreadable = || CommandError::Unreadable { stream: stream.clone(), version: event.version };
                let data = event.data.as_deref().ok_or_else(unreadable)?;
                loaded.state.apply(&serde_json::from_slice(data).map_err(|_| unreadable())?);
                loaded.version = event.version;
            }
        }
        Ok(loaded)
    }

    async fn latest_snapshot<E>(&self, stream: &StreamName) -> Result<Loaded<A>, CommandError<E>> {
        let none = Loaded { state: A::default(), version: 0 };
        if self.snapshot_every.is_none() {
            return Ok(none);
        }
        let Some(snapshot) = self.store.snapshot(stream, A::MARK).await? else { return Ok(none) };
        // A shortcut only: one that cannot be read is as good as none.
        let state = serde_json::from_slice(&snapshot.data).ok();
        Ok(state.map_or(none, |state| Loaded { state, version: snapshot.version }))
    }

    /// Decides on top of the aggregate's events, and appends what comes of it; decides anew where others were quicker. What
    /// `decide` refuses with is of any type; a command that is never refused has [`std::convert::Infallible`].
    ///
    /// # Errors
    /// [`CommandError::Refused`] with what `decide` says; otherwise the journal's.
    pub async fn execute<E>(
        &self,
        id: &str,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Executed<A>, CommandError<E>> {
        self.carry_out(id, None, decide).await
    }

    /// The same, but at most once for what the command is known by: the identity of the message that asks for it, or the
    /// key of a saga's step. A repetition decides nothing, appends nothing and gives the first answer, from whatever process
    /// and whatever has become of the aggregate. Only what was appended is remembered: a command that was refused, or had
    /// nothing to add, is decided anew.
    ///
    /// # Errors
    /// As [`Aggregates::execute`].
    pub async fn execute_once<E>(
        &self,
        id: &str,
        known_by: &str,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Executed<A>, CommandError<E>> {
        let stream = Self::stream(id)?;
        let identity = [&b"atalaya command"[..], stream.as_str().as_bytes(), known_by.as_bytes()];
        self.carry_out(id, Some(AppendId::made_of(&identity)), decide).await
    }

    async fn carry_out<E>(
        &self,
        id: &str,
        once: Option<AppendId>,
        decide: impl Fn(&A) -> Result<Vec<A::Event>, E>,
    ) -> Result<Executed<A>, CommandError<E>> {
        let stream = Self::stream(id)?;
        for _ in 0..self.attempts {
            let mut loaded = self.load(id).await?;
            // After it was read: what is decided is decided on what was there before this command.
            if let Some(once) = once
                && let Some(appended) = self.store.appended(once).await?
            {
                return Ok(Executed { state: self.load(id).await?.state, appended: Some(appended) });
            }
            let events = decide(&loaded.state).map_err(CommandError::Refused)?;
            if events.is_empty() {
                return Ok(Executed { state: loaded.state, appended: None });
            }
            let new = events.iter().map(new_event::<A, E>).collect::<Result<Vec<_>, _>>()?;
            let append = Append::to_stream(stream.clone(), Expected::Exact(loaded.version), new);
            let append = Append { id: once.unwrap_or(append.id), ..append };
            match self.append(append).await {
                Ok(appended) => {
                    events.iter().for_each(|event| loaded.state.apply(event));
                    let before = loaded.version;
                    loaded.version += events.len() as u64;
                    self.snapshot(&stream, &loaded, before).await;
                    return Ok(Executed { state: loaded.state, appended: Some(appended) });
                }
                // Somebody was quicker: with something else, or with the very same command.
                Err(atalaya_eventstore::Error::Conflict(Conflict::Version { .. } | Conflict::OtherBody { .. })) => {}
                Err(source @ atalaya_eventstore::Error::Unknown { .. }) => {
                    return Err(CommandError::Unknown { stream, source });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommandError::Contended { stream, attempts: self.attempts })
    }

    /// The same append again tells whether the first one was made.
    async fn append(&self, append: Append) -> Result<Appended, atalaya_eventstore::Error> {
        const TRIES: u32 = 3;
        let mut tries = 1;
        loop {
            match self.store.append(append.clone()).await {
                Err(atalaya_eventstore::Error::Unknown { .. }) if tries < TRIES => tries += 1,
                appended => return appended,
            }
        }
    }

    async fn snapshot(&self, stream: &StreamName, loaded: &Loaded<A>, before: u64) {
        let Some(every) = self.snapshot_every else { return };
        if before / every == loaded.version / every {
            return;
        }
        let Ok(data) = serde_json::to_vec(&loaded.state) else { return };
        let snapshot =
            Snapshot { stream: stream.clone(), version: loaded.version, mark: A::MARK.to_owned(), data: data.into() };
        if let Err(error) = self.store.save_snapshot(snapshot).await {
            // The command is carried out all the same.
            tracing::warn!(%stream, error = &error as &dyn std::error::Error, "no snapshot was stored");
        }
    }
}

fn new_event<A: Aggregate, E>(event: &A::Event) -> Result<NewEvent, CommandError<E>> {
    let data = serde_json::to_vec(event).map_err(CommandError::Unwritable)?;
    Ok(NewEvent::new(EventType::new(A::event_type(event))?, data))
}
