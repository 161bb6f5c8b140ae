//! One round of publishing: each key one message after the other, different keys at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::watch;
use uuid::Uuid;

use super::lease::Lease;
use super::{Broker, Message, PublishError};

/// No message is begun with less of the lease left: what is begun then can still be settled.
const QUARTERS_NEEDED: u32 = 3;

/// What a round came to.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) acknowledged: Vec<Uuid>,
    pub(super) refused: Vec<(Uuid, String)>,
    /// Why the broker is taken to be away, if it is.
    pub(super) unavailable: Option<String>,
}

impl Published {
    /// Whether the broker has said anything about a message.
    pub(super) fn has_answer(&self) -> bool {
        !self.acknowledged.is_empty() || !self.refused.is_empty()
    }
}

/// What ends a round before its messages do.
pub(super) struct Round<'a> {
    pub(super) lease: &'a Lease,
    pub(super) stop: &'a watch::Receiver<bool>,
    pub(super) keys_at_once: usize,
    pub(super) limit: Duration,
    pub(super) halted: AtomicBool,
}

impl Round<'_> {
    /// Publishes what it can; the future holds no more than the messages.
    pub(super) async fn publish(&self, broker: &impl Broker, queues: Vec<Vec<Message>>) -> Published {
        let publishing = queues.into_iter().map(|queue| self.publish_queue(broker, queue));
        let mut publishing = stream::iter(publishing).buffer_unordered(self.keys_at_once.max(1));
        let mut all = Published::default();
        while let Some(published) = publishing.next().await {
            all.acknowledged.extend(published.acknowledged);
            all.refused.extend(published.refused);
            all.unavailable = all.unavailable.or(published.unavailable);
        }
        all
    }

    async fn publish_queue(&self, broker: &impl Broker, queue: Vec<Message>) -> Published {
        let mut published = Published::default();
        for message in queue {
            if self.is_over() {
                break;
            }
            let answer = tokio::time::timeout(self.limit, broker.publish(&message)).await;
            match answer.unwrap_or_else(|_| Err(PublishError::Unavailable("no answer in time".to_owned()))) {
                Ok(()) => published.acknowledged.push(message.id()),
                Err(PublishError::Refused(reason)) => {
                    published.refused.push((message.id(), reason));
                    break;
                }
                Err(PublishError::Unavailable(reason)) => {
                    // Whoever is under way finds out alone; nobody else has to.
                    self.halted.store(true, Ordering::SeqCst);
                    published.unavailable = Some(reason);
                    break;
                }
            }
        }
        published
    }

    fn is_over(&self) -> bool {
        self.halted.load(Ordering::SeqCst) || *self.stop.borrow() || self.lease.quarters_left() < QUARTERS_NEEDED
    }
}
