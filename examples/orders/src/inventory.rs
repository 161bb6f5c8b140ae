//! The inventory: how many pieces there are of each article, and for which orders they are kept.

use std::collections::BTreeMap;
use std::convert::Infallible;

use atalaya_cqrs::projection::{Made, TableOf};
use atalaya_cqrs::{Aggregate, Aggregates, inbox::Incoming};
use serde::{Deserialize, Serialize};

use crate::service::Result;
use crate::wire::{PiecesKept, PiecesWanted};

/// What can happen to the stock of an article.
#[derive(Serialize, Deserialize)]
pub(crate) enum StockEvent {
    Delivered { pieces: i64 },
    Reserved { order: String, pieces: i64 },
    OutOfStock { order: String },
    Released { order: String, pieces: i64 },
}

/// What is free, and what is kept for which order.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Stock {
    free: i64,
    kept: BTreeMap<String, i64>,
}

impl Stock {
    /// What comes of an order that wants so many pieces, or none any more.
    fn decide(&self, order: String, wanted: Option<i64>) -> Vec<StockEvent> {
        match (wanted, self.kept.get(&order)) {
            (Some(pieces), _) if pieces <= self.free => vec![StockEvent::Reserved { order, pieces }],
            (Some(_), _) => vec![StockEvent::OutOfStock { order }],
            (None, Some(&pieces)) => vec![StockEvent::Released { order, pieces }],
            (None, None) => Vec::new(),
        }
    }
}

impl Aggregate for Stock {
    const CATEGORY: &'static str = "stock";
    type Event = StockEvent;

    fn apply(&mut self, event: &StockEvent) {
        match event {
            StockEvent::Delivered { pieces } => self.free += pieces,
            StockEvent::Reserved { order, pieces } => {
                self.free -= pieces;
                self.kept.insert(order.clone(), *pieces);
            }
            StockEvent::OutOfStock { .. } => {}
            StockEvent::Released { order, .. } => self.free += self.kept.remove(order).unwrap_or_default(),
        }
    }
}

/// The table of articles, and the answers to the order service.
impl TableOf for Stock {
    const NAME: &'static str = "stock";
    const COLUMNS: &'static str = "free bigint NOT NULL DEFAULT 0, kept bigint NOT NULL DEFAULT 0";

    fn make(_article: &str, event: StockEvent) -> Made {
        let moved = |pieces: i64| Made::nothing().add("free", -pieces).add("kept", pieces);
        match event {
            StockEvent::Delivered { pieces } => Made::nothing().add("free", pieces),
            StockEvent::Reserved { order, pieces } => moved(pieces).tell(&PiecesKept { order, kept: true }),
            StockEvent::OutOfStock { order } => Made::nothing().tell(&PiecesKept { order, kept: false }),
            StockEvent::Released { pieces, .. } => moved(-pieces),
        }
    }
}

/// Does what the order service asks for: once for each message, however often it comes.
pub(crate) async fn hear(stocks: &Aggregates<Stock>, message: Incoming) -> Result<()> {
    let PiecesWanted { order, article, pieces } = message.read()?;
    let decide = |stock: &Stock| Ok::<_, Infallible>(stock.decide(order.clone(), pieces));
    stocks.execute_once(&article, &message.id, decide).await?;
    Ok(())
}
