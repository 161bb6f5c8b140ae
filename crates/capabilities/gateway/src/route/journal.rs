//! The journal, opened when it is first needed: a gateway may serve for years before there is one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use atalaya_route::{Decision, Error, OpenEpoch, Routes, Standing};
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::admin::Refused;

/// Opens the journal that routes stand in; none where nothing was ever written to it. What is wrong comes back as a text
/// for the administrator.
pub type OpenRoutes = Arc<dyn Fn() -> BoxFuture<'static, Result<Option<Routes>, String>> + Send + Sync>;

/// What says where clients are led.
#[derive(Clone)]
pub enum Routing {
    /// The estate alone.
    ByEstate,
    /// The journal, and the estate where the journal says nothing.
    ByJournal(OpenRoutes),
}

/// How long the journal is waited for, each time.
const ANSWER: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Journal {
    open: Option<OpenRoutes>,
    routes: Mutex<Option<Routes>>,
}

impl Journal {
    pub(crate) fn new(routing: Routing) -> Self {
        let open = match routing {
            Routing::ByEstate => None,
            Routing::ByJournal(open) => Some(open),
        };
        Self { open, routes: Mutex::default() }
    }

    /// Whether there may be one.
    pub(crate) fn is_asked(&self) -> bool {
        self.open.is_some()
    }

    /// Where a database's clients are led; the estate decides where there is no journal yet.
    pub(crate) async fn standing(&self, database: &str) -> Result<Standing, Refused> {
        match self.routes().await? {
            Some(routes) => answered(routes.standing(database)).await,
            None => Ok(Standing::default()),
        }
    }

    pub(crate) async fn epoch(&self, database: &str, number: u64) -> Result<(OpenEpoch, Option<Decision>), Refused> {
        let routes = self.routes().await?.ok_or(Refused::NoJournal)?;
        answered(routes.epoch(database, number)).await?.ok_or(Refused::NoEpoch { epoch: number })
    }

    pub(crate) async fn decision(&self, epoch: &OpenEpoch) -> Result<Decision, Refused> {
        let routes = self.routes().await?.ok_or(Refused::NoJournal)?;
        answered(routes.decision(epoch)).await?.ok_or(Refused::Undecided { epoch: epoch.epoch })
    }

    pub(crate) async fn close(&self, epoch: &OpenEpoch, by: &str, reason: &str) -> Result<Decision, Refused> {
        let routes = self.routes().await?.ok_or(Refused::NoJournal)?;
        answered(routes.close(epoch, by, reason)).await
    }

    /// How much is left of a lease that began before this gateway did.
    pub(crate) async fn lease_left(&self, epoch: &OpenEpoch) -> Result<Duration, Refused> {
        let routes = self.routes().await?.ok_or(Refused::NoJournal)?;
        answered(routes.lease_left(epoch)).await
    }

    pub(crate) async fn routes(&self) -> Result<Option<Routes>, Refused> {
        let Some(open) = &self.open else { return Ok(None) };
        let opening = async {
            let mut known = self.routes.lock().await;
            if known.is_none() {
                *known = open().await.map_err(|why| Refused::Journal { why })?;
            }
            Ok(known.clone())
        };
        timeout(ANSWER, opening).await.unwrap_or_else(|_| Err(late()))
    }
}

async fn answered<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Refused> {
    match timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|error| Refused::Journal { why: atalaya_data::chain(&error) }),
        Err(_) => Err(late()),
    }
}

fn late() -> Refused {
    Refused::Journal { why: format!("no answer within {} s", ANSWER.as_secs()) }
}
