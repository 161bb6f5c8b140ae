//! The saga by which the order service keeps an order right: its steps, and what undoes them.

use std::time::Duration;

use atalaya_cqrs::{Aggregates, CommandError, inbox::Incoming};
use atalaya_eventstore::Store;
use atalaya_saga::{Answer, Definition, Error, Options, Outcome, SagaId, Sagas, Step, StepContext, StepError, Undone};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::order::{Order, OrderEvent};
use crate::payment::Gateway;
use crate::service::{LEASE, Result};
use crate::wire::PiecesKept;

/// What a customer wants.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) article: String,
    pub(crate) pieces: i64,
    pub(crate) card: String,
}

/// The steps in their order. Where one is refused, those before it are undone; once it is paid there is only the way on.
pub(crate) fn sagas(journal: &Store, gateway: Gateway) -> Result<Sagas> {
    let done = Outcome::Done(Value::Null);
    let place = record(journal, done.clone(), |Wanted { article, pieces, .. }| OrderEvent::Placed { article, pieces });
    let reject = record(journal, Undone::Undone, |Wanted { article, .. }| OrderEvent::Rejected { article });
    let pay = move |context| pay(gateway.clone(), context);
    let confirm = record(journal, done, |_| OrderEvent::Confirmed);
    let steps = vec![
        // The inventory hears of both by a message each: it keeps the pieces, or keeps them no longer.
        Step::new("place", place).undone_by(reject),
        // Whether it does comes as a message, too.
        Step::new("reserve", |_| async { Ok(Outcome::Awaiting) }).without_effect().within(Duration::from_hours(24)),
        Step::new("pay", pay).pivot().settled_by_refusal().each_within(Duration::from_secs(10)),
        Step::new("confirm", confirm),
    ];
    let options = Options { lease: LEASE, ..Options::default() };
    Ok(Sagas::new(journal.clone(), vec![Definition::new("order", 1, steps)?], options)?)
}

/// A step that adds an event to the order: once, by the step's key, however often it is asked for.
fn record<T: Clone + Send + Sync + 'static>(
    journal: &Store,
    answer: T,
    event: fn(Wanted) -> OrderEvent,
) -> impl Fn(StepContext) -> BoxFuture<'static, Result<T, StepError>> + use<T> {
    let orders = Aggregates::<Order>::new(journal.clone());
    move |context| {
        let (orders, answer) = (orders.clone(), answer.clone());
        Box::pin(async move {
            let wanted: Wanted = context.read_input()?;
            let decide = |order: &Order| if order.over { Err("it is over") } else { Ok(vec![event(wanted.clone())]) };
            match orders.execute_once(context.saga.as_str(), &context.key, decide).await {
                Ok(_) => Ok(answer),
                Err(CommandError::Refused(late)) => Err(StepError::Refused(late.to_owned())),
                Err(error) => Err(StepError::Unknown(error.to_string())),
            }
        })
    }
}

async fn pay(gateway: Gateway, context: StepContext) -> Result<Outcome, StepError> {
    let wanted: Wanted = context.read_input()?;
    match gateway.charge(&context.key, &wanted.card).await {
        Ok(true) => Ok(Outcome::Done(Value::Null)),
        Ok(false) => Err(StepError::Refused("the card is refused".to_owned())),
        Err(_) => Err(StepError::Unknown("the gateway does not answer".to_owned())),
    }
}

/// Brings the inventory's answer to the step that waits for it; the same message twice is one answer.
pub(crate) async fn hear(sagas: &Sagas, message: Incoming) -> Result<()> {
    let PiecesKept { order, kept } = message.read()?;
    let (output, reason) = (Value::Null, "out of stock".to_owned());
    let answer = if kept { Answer::Done { output } } else { Answer::Refused { reason } };
    match sagas.signal(&SagaId::new(&order)?, "reserve", &message.id, answer).await {
        // Nobody waits for an answer after the end.
        Ok(_) | Err(Error::Ended { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
