//! A cutover as an operation in the journal: what is checked, made, switched and done afterwards, over kills.
//!
//! The critical section is one step: two appends more for each of its stages would be part of the pause. What a killed
//! process has left of it is found in the route's stream, never in the saga's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atalaya_saga::{
    Definition, DefinitionError, End, Options, Outcome as Done, Phase, Retry, SagaId, Sagas, Step, StepContext,
    StepError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::course::{Course, Means, Purpose};
use crate::report::{Outcome, Report};
use crate::switch::{Resumed, prepare, resume};
use crate::{Error, preflight};

/// What kind of saga it is.
pub const KIND: &str = "cutover";

const PREFLIGHT: &str = "preflight";
const WAY_BACK: &str = "way_back";
const SWITCH: &str = "switch";
const AFTER: &str = "after";

/// How long a process that was killed keeps what it was doing. Gates do not wait for it: they have leases of their own.
const LEASE: Duration = Duration::from_secs(5);
/// Making the way back waits for every open transaction.
const LONG: Duration = Duration::from_secs(3600);
const AGAIN: Retry = Retry { attempts: 5, backoff: Duration::from_millis(200), backoff_max: Duration::from_secs(2) };
/// More unfinished or failed ones of one floor than anybody has tried.
const TRIES_MAX: u32 = 10_000;

/// What a saga is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Input {
    course: Course,
    /// The last epoch before it: a later one is its own.
    floor: u64,
}

/// What the steps of this process share.
#[derive(Default)]
struct Hand {
    /// What they came to; the journal has the words, these have the reasons.
    said: Mutex<Option<Result<Report, Error>>>,
    /// Whether what is driven was not asked for: it is given up before clients are led away.
    gives_up: AtomicBool,
}

/// The cutovers of one route, as one process does them.
pub struct Cutovers {
    sagas: Sagas,
    means: Means,
    hand: Arc<Hand>,
}

impl Cutovers {
    /// With what they are done.
    ///
    /// # Errors
    /// Never, unless this program is wrong about its own definition.
    pub fn open(means: Means) -> Result<Self, Error> {
        let hand = Arc::new(Hand::default());
        let definition = definition(&means, &hand).map_err(atalaya_saga::Error::from)?;
        let options = Options { lease: LEASE, ..Options::default() };
        let store = means.routes.store().clone();
        let sagas = Sagas::new(store, vec![definition], options).map_err(atalaya_saga::Error::from)?;
        Ok(Self { sagas, means, hand })
    }

    /// Takes a course. What an earlier process has left of the same one is brought to its end instead; what it has left of
    /// another one is ended first, and never leads clients away then.
    ///
    /// # Errors
    /// Why clients are not led away; they are where they were, unless [`Error::is_unsettled`]. [`Error::OtherMigration`] where
    /// another migration's was left: it has means of its own.
    pub async fn run(&self, course: Course) -> Result<Report, Error> {
        let mut floor = self.means.routes.standing(&course.database).await?.last_epoch;
        while let Some(left) = self.left_behind(&course.database, floor).await? {
            let before = self.course_of(&left).await?;
            if before.migration != course.migration {
                return Err(Error::OtherMigration { database: before.database, migration: before.migration });
            }
            if before == course {
                tracing::info!(saga = left.as_str(), "goes on with what an earlier process has left");
                return self.go_on(&left).await;
            }
            tracing::warn!(saga = left.as_str(), "ends what an earlier process has left: it is not what is asked for");
            self.end(&left).await?;
            floor = self.means.routes.standing(&course.database).await?.last_epoch;
        }
        let input = Input { course: course.clone(), floor };
        let input =
            serde_json::to_value(input).map_err(|_| Error::NotDone { reason: "it cannot be written".to_owned() })?;
        let id = self.next_id(&course.database, floor).await?;
        self.sagas.start(KIND, &id, input).await?;
        self.drive(&id).await
    }

    async fn course_of(&self, id: &SagaId) -> Result<Course, Error> {
        let input: Option<Input> = serde_json::from_value(self.sagas.input(id).await?).ok();
        let unreadable = || Error::NotDone { reason: "what an earlier process has left cannot be read".to_owned() };
        Ok(input.ok_or_else(unreadable)?.course)
    }

    async fn go_on(&self, id: &SagaId) -> Result<Report, Error> {
        if let Phase::Stuck { .. } = self.sagas.show(id).await?.phase {
            self.sagas.retry(id, &self.means.by).await?;
        }
        self.drive(id).await
    }

    /// Gives one up that has not led clients away, and finishes one that has.
    async fn end(&self, id: &SagaId) -> Result<(), Error> {
        self.hand.gives_up.store(true, Ordering::SeqCst);
        let came = self.go_on(id).await;
        self.hand.gives_up.store(false, Ordering::SeqCst);
        match self.sagas.show(id).await?.phase {
            Phase::Ended { .. } => Ok(()),
            _ => came.map(drop),
        }
    }

    async fn drive(&self, id: &SagaId) -> Result<Report, Error> {
        self.take();
        let phase = self.sagas.drive_to_end(id).await?;
        let said = self.take();
        match (phase, said) {
            (Phase::Ended { end: End::Completed }, Some(Ok(report))) => Ok(report),
            (Phase::Stuck { step, reason, .. }, said) => Err(match said {
                Some(Err(error)) => error,
                _ => Error::Stuck { step, reason },
            }),
            (_, Some(Err(error))) => Err(error),
            (Phase::Ended { end }, _) => {
                let failure = self.sagas.show(id).await?.failure;
                let reason = failure.unwrap_or_else(|| match end {
                    End::Completed => "another process has brought it to its end".to_owned(),
                    End::Compensated | End::Abandoned => "it was given up".to_owned(),
                });
                Err(Error::NotDone { reason })
            }
            (Phase::Going { .. }, _) => Err(Error::NotDone { reason: "it goes on elsewhere".to_owned() }),
        }
    }

    fn take(&self) -> Option<Result<Report, Error>> {
        self.hand.said.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// One that has not ended: begun at this floor, or at the one before it, which it has raised itself.
    async fn left_behind(&self, database: &str, floor: u64) -> Result<Option<SagaId>, Error> {
        for floor in [Some(floor), floor.checked_sub(1)].into_iter().flatten() {
            for number in 1..TRIES_MAX {
                let id = id_of(database, floor, number)?;
                match self.sagas.show(&id).await {
                    Ok(view) if matches!(view.phase, Phase::Ended { .. }) => {}
                    Ok(_) => return Ok(Some(id)),
                    Err(atalaya_saga::Error::UnknownSaga { .. }) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(None)
    }

    async fn next_id(&self, database: &str, floor: u64) -> Result<SagaId, Error> {
        for number in 1..TRIES_MAX {
            let id = id_of(database, floor, number)?;
            match self.sagas.show(&id).await {
                Ok(_) => {}
                Err(atalaya_saga::Error::UnknownSaga { .. }) => return Ok(id),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::NotDone { reason: "it was tried too often".to_owned() })
    }
}

fn id_of(database: &str, floor: u64, number: u32) -> Result<SagaId, Error> {
    SagaId::new(&format!("{KIND}-{database}-{floor}-{number}"))
        .map_err(|_| Error::NotDone { reason: "the database's name is too long".to_owned() })
}

/// The steps. Nothing before the switch has an effect that anybody would want undone: the way back stands for the next try.
fn definition(means: &Means, hand: &Arc<Hand>) -> Result<Definition, DefinitionError> {
    let preflight = step(PREFLIGHT, means, hand, |Task { course, means, goal, .. }| async move {
        goal.is_asked_for()?;
        let report = preflight::preflight(&course, &means).await?;
        let ids: Vec<String> = report.failed().map(|check| check.id.to_owned()).collect();
        if !ids.is_empty() {
            return Err(Error::Forbidden { ids });
        }
        Ok(Came::Went)
    });
    let way_back = step(WAY_BACK, means, hand, |Task { course, means, goal, .. }| async move {
        goal.is_asked_for()?;
        let made = means.replication.make_way_back(course.direction).await;
        made.map_err(|source| Error::Replication { stage: "making the way back", source })?;
        Ok(Came::Went)
    });
    let switch = step(SWITCH, means, hand, |Task { course, means, floor, goal }| async move {
        let report = match resume(&course, &means, floor).await? {
            Resumed::Ended(report) if report.outcome == Outcome::Flipped => *report,
            Resumed::Ended(_) => return Err(Error::Interrupted { from: course.from }),
            Resumed::NotBegun => {
                goal.is_asked_for()?;
                prepare(course, means).await?.run().await?
            }
        };
        Ok(Came::Switched(Box::new(report)))
    });
    let after = step(AFTER, means, hand, |Task { course, means, .. }| async move {
        // Clients of a rehearsal are where they were, and so is which side serves.
        if course.purpose == Purpose::Flip {
            let taken = means.replication.take_over(course.direction).await;
            taken.map_err(|source| Error::Replication { stage: "taking over", source })?;
        }
        Ok(Came::Went)
    });
    let steps = vec![
        preflight.without_effect(),
        way_back.without_effect().each_within(LONG),
        switch.pivot().settled_by_refusal().retried(AGAIN),
        after.retried(AGAIN),
    ];
    Definition::new(KIND, 1, steps)
}

/// What a step came to.
enum Came {
    Went,
    Switched(Box<Report>),
}

/// What a step is given.
struct Task {
    course: Course,
    means: Means,
    floor: u64,
    goal: Goal,
}

/// How far what is driven may go.
#[derive(Clone, Copy)]
enum Goal {
    /// To its end.
    Asked,
    /// To its end only where clients are led away already.
    GiveUp,
}

impl Goal {
    fn is_asked_for(self) -> Result<(), Error> {
        match self {
            Self::Asked => Ok(()),
            Self::GiveUp => Err(Error::NotDone { reason: "something else was asked for".to_owned() }),
        }
    }
}

fn step<F, W>(name: &str, means: &Means, hand: &Arc<Hand>, work: W) -> Step
where
    W: Fn(Task) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Came, Error>> + Send + 'static,
{
    let (means, hand) = (means.clone(), Arc::clone(hand));
    Step::new(name, move |context: StepContext| {
        let goal = if hand.gives_up.load(Ordering::SeqCst) { Goal::GiveUp } else { Goal::Asked };
        let input = context.read_input::<Input>();
        let work = input.map(|Input { course, floor }| work(Task { course, means: means.clone(), floor, goal }));
        let hand = Arc::clone(&hand);
        async move {
            let came = work?.await;
            let mut said = hand.said.lock().unwrap_or_else(PoisonError::into_inner);
            match came {
                Ok(Came::Went) => Ok(Done::Done(json!(null))),
                Ok(Came::Switched(report)) => {
                    let output = serde_json::to_value(&report).unwrap_or_default();
                    *said = Some(Ok(*report));
                    Ok(Done::Done(output))
                }
                Err(error) => {
                    let text = atalaya_data::chain(&error);
                    let unknown = error.is_unsettled();
                    // That clients are led away stands, whatever comes after it.
                    if !matches!(&*said, Some(Ok(_))) {
                        *said = Some(Err(error));
                    }
                    Err(if unknown { StepError::Unknown(text) } else { StepError::Refused(text) })
                }
            }
        }
    })
}

#[cfg(test)]
mod tests;
