//! One saga, taken as far as it goes: each step is written down before it is asked for, and what came of it afterwards.
//!
//! Everything is added on top of the version that was read, so that of two coordinators that take a saga for theirs only
//! one can write: the other finds the stream moved, reads again, and lets go.

use std::time::{Duration, Instant};

use atalaya_eventstore::Store;

use crate::attempt::{Attempt, Came, done, left_out};
use crate::clock::{Clock, owned_for, wait};
use crate::decide::{Decision, after_failure, decide};
use crate::definition::{Definition, Step};
use crate::event::{SagaEvent, Way};
use crate::silence::Silence;
use crate::state::{Phase, State};
use crate::stream::{Added, Loaded, add, load};
use crate::{Error, SagaId, StepError, Undone};

/// A wait that is shorter is waited for in place; a longer one lets go of the saga.
const PARK_AFTER: Duration = Duration::from_millis(500);
/// How often the journal is tried again to write down what came of a step, within the lease.
const RECORD_ATTEMPTS: u32 = 20;
const RECORD_PAUSE: Duration = Duration::from_millis(250);

/// Who drives, and how long it may be silent.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) lease: Duration,
}

/// How far it went.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Driven {
    /// It has ended, or waits for a person.
    Over(Phase),
    /// It goes on after this wait, or at a signal before.
    Parked(Duration),
    /// It goes on at a signal.
    Signal,
    /// Somebody else has it for so long at least.
    Owned(Duration),
}

/// One turn at one saga.
pub(crate) struct Driver<'a> {
    pub(crate) store: &'a Store,
    pub(crate) id: &'a SagaId,
    pub(crate) owner: &'a Owner,
    /// Since when others have been silent.
    pub(crate) silence: &'a Silence,
    /// The definition that the saga is bound to, if this program has it.
    pub(crate) find: &'a (dyn Fn(&State) -> Option<Definition> + Send + Sync),
}

/// A saga that is ours.
struct Held {
    loaded: Loaded,
    definition: Definition,
    epoch: u64,
    /// Until when nobody else takes it.
    leased_until: Instant,
    /// Decided, not written yet.
    pending: Vec<SagaEvent>,
}

/// What came of writing.
enum Written {
    /// It stands as it was decided.
    Kept,
    /// Others have written, too: what came of a step stands, what comes next is to be decided anew.
    Anew,
    /// The saga is not ours any more.
    Lost,
}

impl Driver<'_> {
    /// Goes as far as it can.
    pub(crate) async fn drive(&self) -> Result<Driven, Error> {
        let loaded = load(self.store, self.id).await?;
        if matches!(loaded.state.phase, Phase::Ended { .. } | Phase::Stuck { .. }) {
            self.silence.forget(self.id);
            return Ok(Driven::Over(loaded.state.phase));
        }
        let definition = (self.find)(&loaded.state).ok_or_else(|| Error::Changed {
            id: self.id.clone(),
            definition: loaded.state.definition.clone(),
            revision: loaded.state.revision,
        })?;
        let clock = Clock::read(self.store).await?;
        if let Some(wait) = owned_for(&loaded.state, &self.owner.name, &clock) {
            // A database's clock that was set back must not keep a dead owner alive: nothing was written for a whole lease.
            let left = loaded.state.lease().saturating_sub(self.silence.of(self.id, loaded.version));
            if !left.is_zero() {
                return Ok(Driven::Owned(wait.min(left)));
            }
        }
        self.silence.forget(self.id);
        // What only waits is not taken.
        match decide(&definition, &loaded.state, clock.now_us()) {
            Decision::WaitUntil(due_us) if wait(due_us, &clock) > PARK_AFTER => {
                return Ok(Driven::Parked(wait(due_us, &clock)));
            }
            Decision::WaitForSignal => return Ok(Driven::Signal),
            _ => {}
        }
        let epoch = loaded.state.epoch.saturating_add(1);
        let mut held = Held { loaded, definition, epoch, leased_until: Instant::now(), pending: Vec::new() };
        let lease_ms = u64::try_from(self.owner.lease.as_millis()).unwrap_or(u64::MAX);
        held.note(SagaEvent::Claimed { owner: self.owner.name.clone(), epoch, lease_ms }, &clock);
        self.go(&mut held, &clock).await
    }

    async fn go(&self, held: &mut Held, clock: &Clock) -> Result<Driven, Error> {
        loop {
            let decision = decide(&held.definition, &held.loaded.state, clock.now_us());
            if let Decision::Record(event) = decision {
                held.note(event, clock);
                continue;
            }
            match &decision {
                Decision::Ask(event) => held.note(event.clone(), clock),
                Decision::WaitUntil(due_us) if wait(*due_us, clock) <= PARK_AFTER => {}
                Decision::WaitUntil(_) | Decision::WaitForSignal => {
                    held.note(SagaEvent::Released { epoch: held.epoch }, clock);
                }
                Decision::Record(_) | Decision::Nothing => {}
            }
            match self.write(held).await? {
                Written::Kept => {}
                Written::Anew => continue,
                Written::Lost => return self.let_go(clock).await,
            }
            match decision {
                Decision::Ask(SagaEvent::Began { way, step, .. }) => match self.ask(held, way, &step, clock).await? {
                    Asked::Came(event) => held.note(event, clock),
                    Asked::Nothing => {}
                    Asked::Lost => return self.let_go(clock).await,
                },
                Decision::WaitUntil(due_us) if held.loaded.state.owner.is_some() => {
                    tokio::time::sleep(wait(due_us, clock)).await;
                }
                Decision::WaitUntil(due_us) => return Ok(Driven::Parked(wait(due_us, clock))),
                Decision::WaitForSignal => return Ok(Driven::Signal),
                Decision::Nothing => return Ok(Driven::Over(held.loaded.state.phase.clone())),
                Decision::Ask(_) | Decision::Record(_) => {}
            }
        }
    }

    /// Somebody else has written what matters: whoever has it now goes on.
    async fn let_go(&self, clock: &Clock) -> Result<Driven, Error> {
        let state = load(self.store, self.id).await?.state;
        Ok(match state.phase {
            Phase::Going { .. } => Driven::Owned(owned_for(&state, &self.owner.name, clock).unwrap_or(PARK_AFTER)),
            over => Driven::Over(over),
        })
    }

    /// Writes what is decided. Where others have written meanwhile (a signal, a person), what came of a step still counts
    /// as long as the saga is ours; everything else is decided anew.
    async fn write(&self, held: &mut Held) -> Result<Written, Error> {
        let mut written = Written::Kept;
        for attempt in 1..=RECORD_ATTEMPTS {
            if held.pending.is_empty() {
                return Ok(written);
            }
            let asked_at = Instant::now();
            match add(self.store, self.id, held.loaded.version, &held.pending).await {
                Ok(Added::At(version)) => {
                    held.loaded.version = version;
                    held.pending.clear();
                    held.leased_until = asked_at + self.owner.lease;
                    return Ok(written);
                }
                Ok(Added::Moved) => {
                    written = self.read_again(held).await?;
                    if matches!(written, Written::Lost) {
                        return Ok(Written::Lost);
                    }
                }
                // What was done must not be asked for again because its answer cannot be kept.
                Err(error) if is_unwritable(&error) => {
                    if !held.leave_outputs_out() {
                        return Err(error);
                    }
                }
                Err(error) if attempt == RECORD_ATTEMPTS => return Err(error),
                Err(error) => {
                    tracing::warn!(saga = %self.id, error = &error as &dyn std::error::Error, "writing it down again");
                    tokio::time::sleep(RECORD_PAUSE).await;
                }
            }
        }
        Err(Error::Contended { id: self.id.clone(), attempts: RECORD_ATTEMPTS })
    }

    async fn read_again(&self, held: &mut Held) -> Result<Written, Error> {
        let loaded = load(self.store, self.id).await?;
        let claims = held.pending.iter().any(|event| matches!(event, SagaEvent::Claimed { .. }));
        let ours = loaded.state.epoch == held.epoch && loaded.state.owner.as_deref() == Some(&self.owner.name);
        if claims || !ours || !matches!(loaded.state.phase, Phase::Going { .. }) {
            return Ok(Written::Lost);
        }
        let came = std::mem::take(&mut held.pending).into_iter().find(|event| outcome_of(event, &loaded.state));
        held.loaded = loaded;
        if let Some(came) = came {
            held.loaded.state.apply(came.clone(), held.loaded.state.heard_at_us);
            held.pending.push(came);
        }
        Ok(Written::Anew)
    }

    /// Asks for the action or the compensation, and keeps the saga ours meanwhile.
    async fn ask(&self, held: &mut Held, way: Way, name: &str, clock: &Clock) -> Result<Asked, Error> {
        let definition = held.definition.clone();
        let Some(step) = definition.step(name) else { return Ok(Asked::Nothing) };
        let Some(mut attempt) = Attempt::begin(self.id, &held.loaded.state, way, step) else {
            return Ok(Asked::Nothing);
        };
        let limit = tokio::time::sleep(self.limit_of(held, way, step, clock));
        tokio::pin!(limit);
        let mut renewal = tokio::time::interval(self.owner.lease / 3);
        renewal.tick().await;
        let came = loop {
            tokio::select! {
                came = attempt.came() => break came,
                () = &mut limit => break Err(StepError::Unknown("it took longer than it may".to_owned())),
                _ = renewal.tick() => {
                    let until = held.leased_until;
                    match tokio::time::timeout_at(until.into(), self.renew(held)).await {
                        Ok(Ok(Written::Kept | Written::Anew)) => {}
                        // Nobody can say that it is ours still: whatever is under way is broken off.
                        Ok(Ok(Written::Lost)) | Err(_) => return Ok(Asked::Lost),
                        // As long as nobody else can have taken it, it may go on.
                        Ok(Err(error)) if Instant::now() >= held.leased_until => return Err(error),
                        Ok(Err(_)) => {}
                    }
                }
            }
        };
        Ok(Asked::Came(match came {
            Ok(Came::Done(output)) => done(name, output),
            Ok(Came::Awaiting) => SagaEvent::Awaiting { step: name.to_owned() },
            Ok(Came::Undone(how)) => {
                SagaEvent::Undone { step: name.to_owned(), never_happened: how == Undone::NeverHappened }
            }
            Err(error) => after_failure(&definition, &held.loaded.state, way, step, &error),
        }))
    }

    async fn renew(&self, held: &mut Held) -> Result<Written, Error> {
        // Where others write all the time, the next tick comes soon enough.
        const TRIES: u32 = 3;
        let mut written = Written::Anew;
        for _ in 0..TRIES {
            held.pending.push(SagaEvent::Renewed { epoch: held.epoch });
            let tried = self.write(held).await;
            // One that could not be written is made anew at the next tick.
            held.pending.clear();
            written = tried?;
            if !matches!(written, Written::Anew) {
                break;
            }
        }
        Ok(written)
    }

    /// How long an attempt may take: its own limit, and what is left of the step's.
    fn limit_of(&self, held: &Held, way: Way, step: &Step, clock: &Clock) -> Duration {
        let begun_at_us = held.loaded.state.step(&step.name).begun_at_us;
        let left = step.deadline.filter(|_| way == Way::Forward).zip(begun_at_us).map(|(deadline, begun_at_us)| {
            wait(begun_at_us.saturating_add(i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX)), clock)
        });
        left.unwrap_or(step.attempt_limit).min(step.attempt_limit)
    }
}

/// Whether the journal takes no such event, however often it is asked.
fn is_unwritable(error: &Error) -> bool {
    matches!(error, Error::TooLarge { .. } | Error::Journal(atalaya_eventstore::Error::Unappendable { .. }))
}

impl Held {
    /// Has what steps have said left out of what is to be written; false where there is nothing of it.
    fn leave_outputs_out(&mut self) -> bool {
        let mut changed = false;
        for event in &mut self.pending {
            if let SagaEvent::Done { step, output } = event
                && *output != left_out()
            {
                *output = left_out();
                self.loaded.state.outputs.insert(step.clone(), left_out());
                changed = true;
            }
        }
        changed
    }

    /// Goes on by an event that is to be written.
    fn note(&mut self, event: SagaEvent, clock: &Clock) {
        self.loaded.state.apply(event.clone(), clock.now_us());
        self.pending.push(event);
    }
}

/// What came of asking.
enum Asked {
    /// This is to be written down.
    Came(SagaEvent),
    /// There was nothing to ask for.
    Nothing,
    /// The saga is not ours any more; whatever was under way is broken off.
    Lost,
}

/// Whether an event says what came of a step that is open still.
fn outcome_of(event: &SagaEvent, state: &State) -> bool {
    let open = |step: &str, of: Way| state.step(step).open && state.phase == (Phase::Going { way: of });
    match event {
        SagaEvent::Done { step, .. } | SagaEvent::Awaiting { step } | SagaEvent::Failed { step, .. } => {
            open(step, Way::Forward)
        }
        SagaEvent::Retrying { way, step, .. } | SagaEvent::Stuck { way, step, .. } => open(step, *way),
        SagaEvent::Undone { step, .. } => open(step, Way::Back),
        _ => false,
    }
}
