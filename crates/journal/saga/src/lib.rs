//! Sagas: operations of several steps that go on after kill -9, or are undone step by step, and never do a thing twice.
//!
//! A saga is a stream of events in the journal: each step's intent is written before the step is asked for, and what came
//! of it afterwards. Steps are asked for with a key that never changes, so that a target can tell a repetition; their
//! compensations are declared before. Nothing here knows what steps do, and nothing is ever taken for undone because an
//! error was seen.
//!
//! ```
//! use atalaya_eventstore::Store;
//! use atalaya_saga::{Definition, End, Options, Outcome, Phase, SagaId, Sagas, Step, StepError, Undone};
//! use serde_json::json;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let store = Store::open_sqlite(&folder.path().join("journal.db"), Default::default()).await?;
//! let reserve = Step::new("reserve", |context| async move {
//!     // The target is told `context.key`, and answers a repetition as it did the first time.
//!     Ok(Outcome::Done(json!({ "shelf": 3, "order": context.input["order"] })))
//! })
//! .undone_by(|_context| async { Ok(Undone::Undone) });
//! let pay = Step::new("pay", |_context| async { Err(StepError::Refused("the card has expired".to_owned())) }).pivot();
//!
//! let sagas = Sagas::new(store, vec![Definition::new("order", 1, vec![reserve, pay])?], Options::default())?;
//! let id = SagaId::new("order-7")?;
//! sagas.start("order", &id, json!({ "order": 7 })).await?;
//! // One saga here and now; a `Coordinator` drives all of them, and those that other processes left behind.
//! assert_eq!(sagas.drive_to_end(&id).await?, Phase::Ended { end: End::Compensated });
//! # Ok(())
//! # }
//! ```
//!
//! What a step has to keep to:
//!
//! - The same key may come again: after a lost answer, after a kill, from another process. It has one effect.
//! - [`StepError::Refused`] says that nothing has happened, and nothing will. Anything else is [`StepError::Unknown`].
//! - A compensation may come for a step that never happened, and before a request that is still on its way. It answers
//!   [`Undone::NeverHappened`] and sees to it that such a request comes to nothing.
//!
//! How a saga ends: completed; compensated; abandoned by a person. One that is stuck waits for a person
//! ([`Sagas::retry`], [`Sagas::skip`], [`Sagas::abandon`]), and keeps no other from going on. A saga is bound to the
//! definition that it was started by, by a hash over its steps: a program without it lists the saga and leaves it alone.

mod attempt;
mod clock;
mod coordinator;
mod decide;
mod decision;
mod definition;
mod driver;
mod error;
mod event;
mod id;
mod sagas;
mod silence;
mod state;
mod step;
mod stream;
mod view;

pub use coordinator::{Coordinator, Refused};
pub use decision::{Decided, Decision};
pub use definition::{Definition, Retry, Step};
pub use error::{DefinitionError, Error};
pub use event::{Answer, Certainty, SagaEvent, Way};
pub use id::SagaId;
pub use sagas::{Listed, Options, Progress, Sagas};
pub use state::{End, Phase};
pub use step::{Outcome, StepContext, StepError, Undone};
pub use view::{StepPhase, StepView, View};
