//! An order: what can happen to it, and what is made of that for readers and for the inventory.

use atalaya_cqrs::Aggregate;
use atalaya_cqrs::projection::{Made, TableOf};
use serde::{Deserialize, Serialize};

use crate::wire::PiecesWanted;

/// What can happen to an order. These events are all that is ever stored of it.
#[derive(Serialize, Deserialize)]
pub(crate) enum OrderEvent {
    Placed { article: String, pieces: i64 },
    Confirmed,
    Rejected { article: String },
}

/// What its events come to, as far as anything is decided by it: whether it is confirmed or rejected.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) over: bool,
}

impl Aggregate for Order {
    const CATEGORY: &'static str = "order";
    type Event = OrderEvent;

    fn apply(&mut self, event: &OrderEvent) {
        self.over = matches!(event, OrderEvent::Confirmed | OrderEvent::Rejected { .. });
    }
}

/// The table of orders. A message is written to the outbox in the transaction of the row: both are there, or neither.
impl TableOf for Order {
    const NAME: &'static str = "orders";
    const COLUMNS: &'static str = "status text NOT NULL";

    fn make(order: &str, event: OrderEvent) -> Made {
        let (made, order) = (Made::nothing().set("status", Self::event_type(&event)), order.to_owned());
        match event {
            OrderEvent::Placed { article, pieces } => made.tell(&PiecesWanted { order, article, pieces: Some(pieces) }),
            OrderEvent::Confirmed => made,
            OrderEvent::Rejected { article } => made.tell(&PiecesWanted { order, article, pieces: None }),
        }
    }
}
