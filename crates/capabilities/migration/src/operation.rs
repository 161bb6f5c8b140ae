//! One migration at work.

use std::sync::Arc;

use atalaya_data::MigrationId;
use atalaya_eventstore::{Append, Expected, Store};
use atalaya_saga::{Answer, End, Phase, Progress, SagaId, Sagas, StepPhase, StepView, View, Way};
use serde_json::Value;

use crate::definition::{BY_OTHERS, FOLLOW, REMOVE};
use crate::event::{MigrationEvent, stream};
use crate::migrations::Called;
use crate::{Error, Reached};

/// One migration at work. Cheap to clone.
#[derive(Clone)]
pub struct Operation {
    store: Store,
    sagas: Sagas,
    called: Arc<Called>,
    id: MigrationId,
    saga: SagaId,
}

/// What a saga's last steps came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// They were done now.
    Now,
    /// They were done before, or somebody has taken them for done.
    Before,
}

/// The saga of a migration.
pub(crate) fn saga_of(id: &MigrationId) -> Result<SagaId, Error> {
    SagaId::new(&id.to_string()).map_err(|_| Error::Unreadable)
}

impl Operation {
    pub(crate) fn new(store: Store, sagas: Sagas, called: Arc<Called>, id: MigrationId) -> Result<Self, Error> {
        let saga = saga_of(&id)?;
        Ok(Self { store, sagas, called, id, saga })
    }

    /// Which one.
    #[must_use]
    pub const fn id(&self) -> &MigrationId {
        &self.id
    }

    pub(crate) const fn saga(&self) -> &SagaId {
        &self.saga
    }

    /// How its saga stands.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub async fn show(&self) -> Result<View, Error> {
        Ok(self.sagas.show(&self.saga).await?)
    }

    /// Whether everything is removed or being removed, so that only the end of it may be missing in the journal.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub async fn is_at_its_end(&self) -> Result<bool, Error> {
        let view = self.show().await?;
        let begun = |step: &StepView| step.name == REMOVE && step.state != StepPhase::Open;
        Ok(view.phase == (Phase::Going { way: Way::Forward }) && view.steps.iter().any(begun))
    }

    /// Refuses one that goes back.
    ///
    /// # Errors
    /// [`Error::GoesBack`].
    pub async fn refuse_way_back(&self) -> Result<(), Error> {
        match self.show().await?.phase {
            Phase::Going { way: Way::Back } | Phase::Stuck { way: Way::Back, .. } => {
                Err(Error::GoesBack { id: self.id.clone() })
            }
            Phase::Going { .. } | Phase::Stuck { .. } | Phase::Ended { .. } => Ok(()),
        }
    }

    /// Writes down what happened.
    ///
    /// # Errors
    /// When the journal does not take it.
    pub async fn note(&self, events: &[MigrationEvent]) -> Result<(), Error> {
        let events: Vec<_> = events.iter().filter_map(MigrationEvent::stored).collect();
        let Some(stream) = stream(&self.id).filter(|_| !events.is_empty()) else { return Ok(()) };
        self.store.append(Append::to_stream(stream, Expected::Any, events)).await?;
        Ok(())
    }

    /// Writes down that the target has come so far.
    ///
    /// # Errors
    /// When the journal does not take it.
    pub async fn reached(&self, reached: Reached) -> Result<(), Error> {
        for (step, _) in BY_OTHERS.iter().filter(|(_, when)| *when <= reached) {
            self.answer(step, Value::Null).await?;
        }
        if reached == Reached::Finished { Ok(()) } else { self.ask_others().await }
    }

    /// The first answer counts. A saga that a person has ended is not contradicted.
    async fn answer(&self, step: &str, output: Value) -> Result<(), Error> {
        match self.sagas.signal(&self.saga, step, "reached", Answer::Done { output }).await {
            Ok(_) | Err(atalaya_saga::Error::Ended { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the saga ask for the next step that others do. Never for the last one, which [`Operation::finish`] alone has
    /// done, nor for anything on the way back.
    pub(crate) async fn ask_others(&self) -> Result<(), Error> {
        let view = self.show().await?;
        let goes_on = view.phase == (Phase::Going { way: Way::Forward });
        let next = view.steps.iter().find(|step| step.state != StepPhase::Done);
        let asked = |step: &StepView| step.name == FOLLOW && step.state != StepPhase::Open;
        if goes_on && next.is_some_and(|step| step.name != REMOVE && !asked(step)) {
            self.sagas.advance(&self.saga).await?;
        }
        Ok(())
    }

    /// Ends it, once the target says that nothing is followed any more: everything of ours is removed.
    ///
    /// # Errors
    /// [`Error::NotDone`] where the engine failed: the same call goes on.
    pub async fn finish(&self, by: &str, proof: Value) -> Result<Done, Error> {
        self.answer(FOLLOW, serde_json::json!({ "by": by, "proof": proof })).await?;
        self.reached(Reached::Finished).await?;
        self.drive(End::Completed).await
    }

    /// Has it go back, and takes it there.
    ///
    /// # Errors
    /// [`Error::NotDone`] where the engine failed: the same call goes on.
    pub async fn abort(&self, by: &str, reason: &str) -> Result<Done, Error> {
        match self.sagas.turn_back(&self.saga, by, reason).await {
            Ok(()) | Err(atalaya_saga::Error::NoWayBack { .. } | atalaya_saga::Error::Ended { .. }) => {}
            // At its last step, or not even at its first: no step of it can be undone. What is ours goes all the same.
            Err(atalaya_saga::Error::NotStuck { .. }) => {
                self.sagas.abandon(&self.saga, by, reason).await?;
            }
            Err(error) => return Err(error.into()),
        }
        self.drive(End::Compensated).await
    }

    async fn drive(&self, wanted: End) -> Result<Done, Error> {
        let _permit = self.called.permit();
        loop {
            match self.sagas.advance(&self.saga).await? {
                Progress::Over(Phase::Ended { end }) if end == wanted => return Ok(Done::Now),
                Progress::Over(Phase::Ended { .. }) => return Ok(Done::Before),
                Progress::Over(Phase::Stuck { reason, .. }) => return Err(Error::NotDone { reason }),
                Progress::Over(Phase::Going { way: Way::Forward | Way::Back }) => {}
                Progress::Until(wait) => match self.called.take_failure() {
                    Some(reason) => return Err(Error::NotDone { reason }),
                    // An earlier call's failure is waited out.
                    None => tokio::time::sleep(wait).await,
                },
                Progress::Signal => {
                    return Err(Error::NotDone { reason: "the migration has not come so far".to_owned() });
                }
            }
        }
    }
}
