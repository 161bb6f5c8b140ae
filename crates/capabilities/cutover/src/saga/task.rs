//! What a step is given, and how what it came to reaches the journal and whoever asked for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use atalaya_saga::{Outcome as Done, Step, StepContext, StepError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;
use crate::course::Means;
use crate::courses::Courses;
use crate::report::Report;
use crate::switch::Begun;

/// What a saga is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Input {
    Of(Begun),
    OfSeveral { databases: Vec<Begun> },
}

impl Input {
    pub(super) fn begun(self) -> Vec<Begun> {
        match self {
            Self::Of(begun) => vec![begun],
            Self::OfSeveral { databases } => databases,
        }
    }
}

/// What the steps of this process share.
#[derive(Default)]
pub(super) struct Hand {
    /// What they came to; the journal has the words, these have the reasons.
    pub(super) said: Mutex<Option<Result<Vec<Report>, Error>>>,
    /// Whether what is driven was not asked for: it is given up before clients are led away.
    pub(super) gives_up: AtomicBool,
}

/// What a step came to.
pub(super) enum Came {
    Went,
    Switched(Vec<Report>),
}

/// What a step is given.
pub(super) struct Task {
    pub(super) begun: Vec<Begun>,
    pub(super) courses: Courses,
    pub(super) means: Means,
    pub(super) goal: Goal,
}

impl Task {
    fn of(input: Input, means: Means, goal: Goal) -> Result<Self, StepError> {
        let begun = input.begun();
        let courses = Courses::new(begun.iter().map(|begun| begun.course.clone()).collect());
        let courses = courses.map_err(|error| StepError::Refused(atalaya_data::chain(&error)))?;
        Ok(Self { begun, courses, means, goal })
    }
}

/// How far what is driven may go.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// To its end.
    Asked,
    /// To its end only where clients are led away already.
    GiveUp,
}

impl Goal {
    pub(super) fn is_asked_for(self) -> Result<(), Error> {
        match self {
            Self::Asked => Ok(()),
            Self::GiveUp => Err(Error::NotDone { reason: "something else was asked for".to_owned() }),
        }
    }
}

/// A step of this process, by its name.
pub(super) fn step<F, W>(name: &str, means: &Means, hand: &Arc<Hand>, work: W) -> Step
where
    W: Fn(Task) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Came, Error>> + Send + 'static,
{
    let (means, hand) = (means.clone(), Arc::clone(hand));
    Step::new(name, move |context: StepContext| {
        let goal = if hand.gives_up.load(Ordering::SeqCst) { Goal::GiveUp } else { Goal::Asked };
        let input = context.read_input::<Input>();
        let work = input.and_then(|input| Task::of(input, means.clone(), goal)).map(&work);
        let hand = Arc::clone(&hand);
        async move {
            let came = work?.await;
            let mut said = hand.said.lock().unwrap_or_else(PoisonError::into_inner);
            match came {
                Ok(Came::Went) => Ok(Done::Done(json!(null))),
                Ok(Came::Switched(reports)) => {
                    let output = match reports.as_slice() {
                        [report] => serde_json::to_value(report),
                        reports => serde_json::to_value(reports),
                    };
                    *said = Some(Ok(reports));
                    Ok(Done::Done(output.unwrap_or_default()))
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
