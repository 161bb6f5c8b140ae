//! One migration at work.

use std::sync::Arc;

use atalaya_data::MigrationId;
use atalaya_eventstore::{Append, Expected, Store};
use atalaya_saga::{Answer, End, Phase, SagaId, Sagas, Standing, StepPhase, StepView, View, Way};
use serde_json::Value;

use crate::definition::{BY_RUNS, FOLLOW, REMOVE};
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

    /// Writes down that a run has come so far.
    ///
    /// # Errors
    /// When the journal does not take it.
    pub async fn reached(&self, reached: Reached) -> Result<(), Error> {
        let done: Vec<_> = BY_RUNS.iter().filter(|(_, when)| *when <= reached).collect();
        for (step, _) in done {
            // Who repairs a stuck or ended saga by hand is not contradicted.
            match self.sagas.signal(&self.saga, step, "reached", Answer::Done { output: Value::Null }).await {
                Ok(_) | Err(atalaya_saga::Error::Ended { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.advance().await.map(|_| ())
    }

    /// Takes the saga as far as it goes.
    pub(crate) async fn advance(&self) -> Result<Standing, Error> {
        Ok(self.sagas.advance(&self.saga).await?)
    }

    /// Ends it: both sides are proven, everything of ours is removed.
    ///
    /// # Errors
    /// [`Error::NotDone`] where the engine failed: the same call goes on.
    pub async fn finish(&self, proof: Value) -> Result<Done, Error> {
        match self.sagas.signal(&self.saga, FOLLOW, "finished", Answer::Done { output: proof }).await {
            Ok(_) | Err(atalaya_saga::Error::Ended { .. }) => {}
            Err(error) => return Err(error.into()),
        }
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
        loop {
            match self.advance().await? {
                Standing::Over(Phase::Ended { end }) if end == wanted => return Ok(Done::Now),
                Standing::Over(Phase::Ended { .. }) => return Ok(Done::Before),
                Standing::Over(Phase::Stuck { reason, .. }) => return Err(Error::NotDone { reason }),
                Standing::Over(Phase::Going { way: Way::Forward | Way::Back }) => {}
                Standing::Until(wait) => match self.called.take_failure() {
                    Some(reason) => return Err(Error::NotDone { reason }),
                    // An earlier call's failure is waited out.
                    None => tokio::time::sleep(wait).await,
                },
                Standing::Signal => {
                    return Err(Error::NotDone { reason: "the migration has not come so far".to_owned() });
                }
            }
        }
    }
}
