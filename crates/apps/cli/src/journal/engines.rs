//! What a migration's saga has done to both servers, and what came of it.

use std::sync::{Arc, Mutex};

use atalaya_migration::{Engine, MigrationEvent};
use atalaya_replicate::{AbortOptions, AbortReport, Error, OperationLock, Plan};
use futures_util::future::BoxFuture;

use super::Who;
use crate::endpoints::Endpoints;

/// What was removed, as the journal keeps it.
pub(crate) fn removed(report: &AbortReport) -> MigrationEvent {
    let (slots, dropped) = (report.slots.clone(), report.tables.clone());
    MigrationEvent::Removed { by: Who::runs().by, slots, dropped }
}

type Answer = Result<AbortReport, Error>;

/// What was answered last.
#[derive(Default)]
struct Answered(Mutex<Option<Answer>>);

impl Answered {
    fn keep(&self, answer: Answer) -> Result<(), String> {
        let told = answer.as_ref().map(|_| ()).map_err(|error| atalaya_data::chain(error));
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some(answer);
        }
        told
    }

    fn take(&self) -> Option<Answer> {
        self.0.lock().ok()?.take()
    }
}

fn not_mine(command: &'static str) -> BoxFuture<'static, Result<(), String>> {
    Box::pin(std::future::ready(Err(format!("to be done by `atalaya migrate {command}`"))))
}

/// The end of a proven migration.
pub(crate) struct Finishing {
    plan: Arc<Plan>,
    answered: Answered,
}

impl Finishing {
    pub(crate) fn new(plan: Arc<Plan>) -> Arc<Self> {
        Arc::new(Self { plan, answered: Answered::default() })
    }

    /// What the saga was answered; none where it did not ask.
    pub(crate) fn answered(&self) -> Option<Answer> {
        self.answered.take()
    }
}

impl Engine for Finishing {
    fn clean_up(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.answered.keep(atalaya_replicate::clean_up(&self.plan).await) })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), String>> {
        not_mine("abort")
    }
}

/// The way back of one that is given up.
pub(crate) struct Withdrawing {
    endpoints: Endpoints,
    options: AbortOptions,
    /// Held as long as this is there; none where nobody could lead the move's clients.
    alone: Option<OperationLock>,
    answered: Answered,
}

impl Withdrawing {
    pub(crate) fn new(endpoints: &Endpoints, options: AbortOptions, alone: Option<OperationLock>) -> Arc<Self> {
        Arc::new(Self { endpoints: endpoints.clone(), options, alone, answered: Answered::default() })
    }

    /// As [`Finishing::answered`].
    pub(crate) fn answered(&self) -> Option<Answer> {
        self.answered.take()
    }

    /// What was removed, if it was.
    pub(crate) fn removed(&self) -> Option<MigrationEvent> {
        self.answered.0.lock().ok()?.as_ref()?.as_ref().ok().map(removed)
    }

    /// The same without a saga.
    pub(crate) async fn ask(&self) -> Answer {
        let Endpoints { source, target, name, .. } = &self.endpoints;
        if let Some(alone) = &self.alone {
            alone.stands().await?;
        }
        atalaya_replicate::abort(source, target, name, self.options.clone()).await
    }
}

impl Engine for Withdrawing {
    fn clean_up(&self) -> BoxFuture<'_, Result<(), String>> {
        not_mine("finish")
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.answered.keep(self.ask().await) })
    }
}
