//! The handle by which sagas are started, answered, looked at and decided about.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_eventstore::{Conflict, Direction, EventType, Expected, Position, Read, Selection, Store};
use serde_json::Value;

use crate::clock::{Clock, owned_for};
use crate::decide::is_past_pivot;
use crate::definition::Definition;
use crate::driver::{Driven, Driver, Owner};
use crate::event::{Answer, STARTED_TYPE, SagaEvent, Way};
use crate::silence::Silence;
use crate::state::{End, Phase, State};
use crate::stream::{Added, Loaded, add, add_known, load};
use crate::view::View;
use crate::{DefinitionError, Error, SagaId};

/// A shorter lease could not be renewed in time.
const LEASE_LEAST: Duration = Duration::from_millis(100);
/// How often it is looked whether an owner lives.
const OWNER_LOOK: Duration = Duration::from_millis(50);
/// How often an operator's word is tried on top of what others write.
const WORD_ATTEMPTS: u32 = 20;

/// Signals come from elsewhere, and so does the end of somebody else's work: how often to look.
const LOOK: Duration = Duration::from_millis(500);

/// How far a saga went.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// It has ended, or waits for a person.
    Over(Phase),
    /// It goes on after this wait.
    Until(Duration),
    /// A step's request is made; it goes on at the answer.
    Signal,
}

/// A saga of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Listed {
    /// As it stands.
    Seen(View),
    /// It holds what this version cannot read.
    Unreadable {
        /// Which one.
        id: SagaId,
        /// Where in its stream.
        version: u64,
    },
}

/// How sagas are driven.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a coordinator may be silent before another one takes its sagas.
    pub lease: Duration,
    /// The most sagas that are driven at once; those that wait do not count.
    pub at_once: usize,
    /// How long to wait before a saga is tried again whose journal or program failed.
    pub pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), at_once: 64, pause: Duration::from_secs(1) }
    }
}

/// Sagas of some kinds in one journal. Cheap to clone.
#[derive(Clone)]
pub struct Sagas {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    /// By name and hash: several revisions of a kind may be there, for sagas that were started by them.
    definitions: HashMap<(String, String), Definition>,
    /// By name: what new sagas are started by.
    latest: HashMap<String, Definition>,
    pub(crate) options: Options,
    pub(crate) silence: Silence,
}

impl Inner {
    pub(crate) fn definition_of(&self, state: &State) -> Option<Definition> {
        self.definitions.get(&(state.definition.clone(), state.hash.clone())).cloned()
    }

    /// Somebody who drives sagas: another one each time, so that two of one process are not taken for one.
    pub(crate) fn new_owner(&self) -> Owner {
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4());
        Owner { name, lease: self.options.lease.max(LEASE_LEAST) }
    }

    pub(crate) async fn drive(&self, id: &SagaId, owner: &Owner) -> Result<Driven, Error> {
        let find = |state: &State| self.definition_of(state);
        Driver { store: &self.store, id, owner, silence: &self.silence, find: &find }.drive().await
    }
}

fn changed(id: &SagaId, state: &State) -> Error {
    Error::Changed { id: id.clone(), definition: state.definition.clone(), revision: state.revision }
}

impl Sagas {
    /// Sagas of these kinds; of several revisions of a kind the one with the highest number is what new ones are started by.
    ///
    /// # Errors
    /// When two definitions are the same.
    pub fn new(store: Store, definitions: Vec<Definition>, options: Options) -> Result<Self, DefinitionError> {
        let mut by_hash = HashMap::new();
        let mut latest: HashMap<String, Definition> = HashMap::new();
        for definition in definitions {
            let name = definition.name().to_owned();
            let key = (name.clone(), definition.hash().to_string());
            if by_hash.insert(key, definition.clone()).is_some() {
                return Err(DefinitionError::Known { name });
            }
            let newest = latest.entry(name).or_insert_with(|| definition.clone());
            if definition.revision() > newest.revision() {
                *newest = definition;
            }
        }
        Ok(Self {
            inner: Arc::new(Inner { store, definitions: by_hash, latest, options, silence: Silence::default() }),
        })
    }

    /// Starts a saga; true where it was not started before. Whoever runs these sagas drives it.
    ///
    /// # Errors
    /// When there is no such kind, or another saga was started under this identity.
    pub async fn start(&self, definition: &str, id: &SagaId, input: Value) -> Result<bool, Error> {
        let unknown = || Error::UnknownDefinition { name: definition.to_owned() };
        let definition = self.inner.latest.get(definition).ok_or_else(unknown)?;
        let started = SagaEvent::Started {
            definition: definition.name().to_owned(),
            revision: definition.revision(),
            hash: definition.hash().to_string(),
            input: input.clone(),
        };
        match add_known(&self.inner.store, id, Expected::None, &["start"], &started).await {
            Ok(added) => Ok(added),
            Err(atalaya_eventstore::Error::Conflict(Conflict::OtherBody { .. } | Conflict::Version { .. })) => {
                // The same saga by an earlier revision of its kind is the same saga.
                let state = load(&self.inner.store, id).await?.state;
                let same = state.definition == definition.name() && state.input == input;
                if same { Ok(false) } else { Err(Error::OtherSaga { id: id.clone() }) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What a saga was started with, for the program that started it: [`Sagas::show`] is for people, and holds nothing of it.
    ///
    /// # Errors
    /// When there is no such saga, or the journal fails.
    pub async fn input(&self, id: &SagaId) -> Result<Value, Error> {
        Ok(load(&self.inner.store, id).await?.state.input)
    }

    /// Drives one saga here and now, until it has ended or waits for a person.
    ///
    /// # Errors
    /// When the journal fails, or the saga is bound to a definition that is not here.
    pub async fn drive_to_end(&self, id: &SagaId) -> Result<Phase, Error> {
        let owner = self.inner.new_owner();
        loop {
            match self.inner.drive(id, &owner).await? {
                Driven::Over(phase) => return Ok(phase),
                Driven::Parked(wait) | Driven::Owned(wait) => tokio::time::sleep(wait.min(LOOK)).await,
                Driven::Signal => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Takes one saga as far as it goes for now: to its end, to a person's decision, or to a wait. While somebody else is at
    /// work on it, this waits.
    ///
    /// # Errors
    /// As [`Sagas::drive_to_end`].
    pub async fn advance(&self, id: &SagaId) -> Result<Progress, Error> {
        let owner = self.inner.new_owner();
        loop {
            match self.inner.drive(id, &owner).await? {
                Driven::Over(phase) => return Ok(Progress::Over(phase)),
                Driven::Parked(wait) => return Ok(Progress::Until(wait)),
                Driven::Signal => return Ok(Progress::Signal),
                Driven::Owned(wait) => tokio::time::sleep(wait.min(LOOK)).await,
            }
        }
    }

    /// Brings the answer to a step whose request is made. `known_by` says which answer it is: a message's identity, so that
    /// the same message twice is one answer. The first answer counts, and may come before the step is written down; false
    /// where it was there already.
    ///
    /// # Errors
    /// When there is no such saga, or it has ended.
    pub async fn signal(&self, id: &SagaId, step: &str, known_by: &str, answer: Answer) -> Result<bool, Error> {
        let loaded = load(&self.inner.store, id).await?;
        if matches!(loaded.state.phase, Phase::Ended { .. }) {
            return Err(Error::Ended { id: id.clone() });
        }
        self.known_step(&loaded.state, id, step)?;
        let event = SagaEvent::Signalled { step: step.to_owned(), answer };
        match add_known(&self.inner.store, id, Expected::Exists, &["signal", step, known_by], &event).await {
            Ok(added) => Ok(added),
            // The same message with other words: the first one counts.
            Err(atalaya_eventstore::Error::Conflict(Conflict::OtherBody { .. })) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the step of a stuck saga tried again, with all its attempts.
    ///
    /// # Errors
    /// When it is not stuck.
    pub async fn retry(&self, id: &SagaId, by: &str) -> Result<(), Error> {
        self.say(id, |loaded| match &loaded.state.phase {
            Phase::Stuck { .. } => Ok(SagaEvent::RetriedBy { by: by.to_owned() }),
            _ => Err(Error::NotStuck { id: id.clone() }),
        })
        .await
    }

    /// Takes the step that a saga is stuck at for done, or for undone on the way back.
    ///
    /// # Errors
    /// When it is not stuck.
    pub async fn skip(&self, id: &SagaId, by: &str, reason: &str) -> Result<(), Error> {
        self.say(id, |loaded| match &loaded.state.phase {
            Phase::Stuck { step, .. } => {
                Ok(SagaEvent::SkippedBy { step: step.clone(), by: by.to_owned(), reason: reason.to_owned() })
            }
            _ => Err(Error::NotStuck { id: id.clone() }),
        })
        .await
    }

    /// Has a saga go back, where it has not passed its pivot: one that is stuck, for somebody who has found out that the step
    /// did not happen or can be undone, or one that waits for the answer to a step. The step's compensation is asked for like
    /// the others'.
    ///
    /// # Errors
    /// When it neither is stuck on its way forward nor waits for an answer, or is past its pivot.
    pub async fn turn_back(&self, id: &SagaId, by: &str, reason: &str) -> Result<(), Error> {
        let not_stuck = || Error::NotStuck { id: id.clone() };
        self.say(id, |loaded| {
            let definition = self.inner.definition_of(&loaded.state).ok_or_else(|| changed(id, &loaded.state))?;
            let state = &loaded.state;
            let step = match &state.phase {
                Phase::Stuck { way: Way::Forward, step, .. } => step,
                Phase::Stuck { .. } | Phase::Going { way: Way::Back } => {
                    return Err(Error::NoWayBack { id: id.clone() });
                }
                Phase::Going { way: Way::Forward } => awaited(&definition, state).ok_or_else(not_stuck)?,
                Phase::Ended { .. } => return Err(Error::Ended { id: id.clone() }),
            };
            if is_past_pivot(&definition, state) {
                return Err(Error::NoWayBack { id: id.clone() });
            }
            let (step, by, reason) = (step.to_owned(), by.to_owned(), reason.to_owned());
            Ok(SagaEvent::TurnedBackBy { step, by, reason })
        })
        .await
    }

    /// Gives a saga up as it is: nothing more is done or undone. For one that is stuck, or that nobody is at work on; of an
    /// owner that may be dead the end of its lease is waited for.
    ///
    /// # Errors
    /// When it has ended, or somebody is at work on it.
    pub async fn abandon(&self, id: &SagaId, by: &str, reason: &str) -> Result<(), Error> {
        self.wait_for_owner(id).await?;
        self.say(id, |loaded| match &loaded.state.phase {
            Phase::Ended { .. } => Err(Error::Ended { id: id.clone() }),
            _ => Ok(SagaEvent::AbandonedBy { by: by.to_owned(), reason: reason.to_owned() }),
        })
        .await
    }

    /// Waits until nobody is at work on it: for a lease at most, in which an owner that lives writes.
    async fn wait_for_owner(&self, id: &SagaId) -> Result<(), Error> {
        let first = load(&self.inner.store, id).await?;
        let began = Instant::now();
        loop {
            let clock = Clock::read(&self.inner.store).await?;
            let loaded = load(&self.inner.store, id).await?;
            let owned =
                matches!(loaded.state.phase, Phase::Going { .. }) && owned_for(&loaded.state, "", &clock).is_some();
            if !owned || began.elapsed() >= loaded.state.lease() {
                return Ok(());
            }
            if loaded.version != first.version {
                return Err(Error::Owned { id: id.clone() });
            }
            tokio::time::sleep(OWNER_LOOK).await;
        }
    }

    /// One saga as it stands.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn show(&self, id: &SagaId) -> Result<View, Error> {
        let state = load(&self.inner.store, id).await?.state;
        let definition = self.inner.definition_of(&state);
        let past_pivot = definition.as_ref().is_some_and(|definition| is_past_pivot(definition, &state));
        Ok(View::of(id, &state, definition.as_ref(), past_pivot))
    }

    /// Sagas in the order in which they were started, from a position of the journal on, and where to go on; none at the end.
    /// One that cannot be read, since a later version wrote to it for instance, hides no other.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn list(&self, from: Position, limit: u32) -> Result<(Vec<Listed>, Option<Position>), Error> {
        let read = Read {
            selection: Selection::Types(EventType::new(STARTED_TYPE).into_iter().collect()),
            direction: Direction::Forward,
            from: Some(from.number().max(1)),
            limit,
        };
        let page = self.inner.store.read(read).await?;
        let mut views = Vec::with_capacity(page.events.len());
        for event in &page.events {
            if let Some(id) = SagaId::of_stream(&event.stream) {
                views.push(match self.show(&id).await {
                    Ok(view) => Listed::Seen(view),
                    Err(Error::Unreadable { id, version }) => Listed::Unreadable { id, version },
                    Err(error) => return Err(error),
                });
            }
        }
        Ok((views, page.next.map(Position::new)))
    }

    fn known_step(&self, state: &State, id: &SagaId, step: &str) -> Result<(), Error> {
        match self.inner.definition_of(state) {
            Some(definition) if definition.step(step).is_none() => {
                Err(Error::UnknownStep { id: id.clone(), step: step.to_owned() })
            }
            // One that this program does not have may have the step.
            _ => Ok(()),
        }
    }

    /// Adds a person's word on top of what it was said of.
    async fn say(&self, id: &SagaId, word: impl Fn(&Loaded) -> Result<SagaEvent, Error>) -> Result<(), Error> {
        for _ in 0..WORD_ATTEMPTS {
            let loaded = load(&self.inner.store, id).await?;
            let event = word(&loaded)?;
            if let Added::At(_) = add(&self.inner.store, id, loaded.version, &[event]).await? {
                return Ok(());
            }
        }
        Err(Error::Contended { id: id.clone(), attempts: WORD_ATTEMPTS })
    }
}

/// The step whose answer is awaited, and has not come.
fn awaited<'a>(definition: &'a Definition, state: &State) -> Option<&'a str> {
    let open = definition.steps().iter().find(|step| !state.step(&step.name).done)?;
    let of = state.step(&open.name);
    (of.awaiting && of.answer.is_none()).then_some(open.name.as_str())
}

/// Whether nothing more comes of a saga by itself.
pub(crate) fn is_over(phase: &Phase) -> bool {
    match phase {
        Phase::Ended { end: End::Completed | End::Compensated | End::Abandoned } => true,
        Phase::Stuck { .. } | Phase::Going { way: Way::Forward | Way::Back } => false,
    }
}
