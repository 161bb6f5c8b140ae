//! Doing what is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;

use super::status::milliseconds;
use super::{Answer, GatewayStatus, Refused, Request};
use crate::database::{Database, Ended};
use crate::error::ServerFailure;
use crate::gate::GateEpoch;
use crate::gateway::Gateway;
use crate::pool::UserTypes;
use crate::route::{arm, make_ready, settle};
use crate::run::Control;
use crate::server::connect;

impl Control {
    /// Does what is asked. What goes wrong is an answer, too.
    pub async fn answer(&self, request: Request) -> Answer {
        self.tried(request).await.unwrap_or_else(Answer::Refused)
    }

    async fn tried(&self, request: Request) -> Result<Answer, Refused> {
        match request {
            Request::Status => Ok(Answer::Status(Box::new(GatewayStatus::of(&self.gateway)))),
            Request::Pause { database, drain_limit_ms, hold_limit_ms } => {
                let database = named(&self.gateway, database)?;
                self.refuse_held(&database)?;
                let (drain, hold) = (Duration::from_millis(drain_limit_ms), Duration::from_millis(hold_limit_ms));
                pause(database, drain, hold).await
            }
            Request::Resume { database, epoch, to } => {
                let database = named(&self.gateway, database)?;
                self.refuse_held(&database)?;
                let led = self.gateway.route(&database.route())?.led();
                if let Some(led) = led.filter(|led| to.as_ref().is_some_and(|to| *to != led.to)) {
                    return Err(Refused::Routed { to: led.to });
                }
                let place = to.map(|to| self.gateway.place(&to).map(|url| (to.clone(), url)).ok_or(to));
                let place = place.transpose().map_err(|to| Refused::NoPlace { to })?;
                self.resume(&database, epoch, place).await
            }
            Request::HandOver => {
                self.gateway.handed_over.notify_one();
                Ok(Answer::HandedOver)
            }
            Request::Ready { database, to } => make_ready(Arc::clone(&self.gateway), database, to).await,
            Request::Arm { database, epoch, drain_limit_ms } => {
                arm(Arc::clone(&self.gateway), database, epoch, Duration::from_millis(drain_limit_ms)).await
            }
            Request::Settle { database, epoch } => settle(Arc::clone(&self.gateway), database, epoch).await,
            Request::Reload => match self.reload().await {
                Ok(()) => Ok(Answer::Reloaded),
                Err(text) => Err(Refused::Estate { text }),
            },
        }
    }
}

fn named(gateway: &Gateway, name: String) -> Result<Arc<Database>, Refused> {
    gateway.database(&name).ok_or(Refused::NoDatabase { database: name })
}

async fn pause(database: Arc<Database>, drain: Duration, hold: Duration) -> Result<Answer, Refused> {
    let began = Instant::now();
    let Some(epoch) = database.gate.close() else {
        let epoch = database.gate.closed().map_or(0, |(epoch, _)| epoch);
        return Err(Refused::Paused { epoch });
    };
    // Whoever asked may be gone before the transactions are; the gate opens all the same.
    let guard = OpenAgain { database: &database, epoch };
    let drained = tokio::time::timeout(drain, database.gate.drained()).await;
    if drained.is_err() {
        let running = database.gate.running();
        drop(guard);
        return Err(Refused::NotDrained { running, waited_ms: milliseconds(began.elapsed()) });
    }
    std::mem::forget(guard);
    let held = Arc::clone(&database);
    tokio::spawn(async move {
        tokio::time::sleep(hold).await;
        if held.gate.open(epoch) {
            tracing::warn!(database = held.name, epoch, "nobody resumed in time; the gate is open again");
        }
    });
    Ok(Answer::Paused { epoch, drained_ms: milliseconds(began.elapsed()) })
}

/// Opens a gate when nobody says that it stays closed.
struct OpenAgain<'a> {
    database: &'a Database,
    epoch: GateEpoch,
}

impl Drop for OpenAgain<'_> {
    fn drop(&mut self) {
        self.database.gate.open(self.epoch);
    }
}

impl Control {
    /// What was closed for the journal's sake is opened by nobody else.
    fn refuse_held(&self, database: &Database) -> Result<(), Refused> {
        let route = self.gateway.route(&database.route())?;
        if route.is_held() { Err(Refused::Held { database: route.database.clone() }) } else { Ok(()) }
    }

    async fn resume(
        &self,
        database: &Arc<Database>,
        epoch: Option<GateEpoch>,
        place: Option<(String, ConnectionUrl)>,
    ) -> Result<Answer, Refused> {
        let (closed, since) = database.gate.closed().ok_or(Refused::NotPaused)?;
        if epoch.is_some_and(|epoch| epoch != closed) {
            return Err(Refused::NotPaused);
        }
        let types = match &place {
            Some((to, url)) => look_at(database, to, url).await?,
            None => UserTypes::Same,
        };
        // Before the gate opens, so that whoever enters finds the new place; and not at all if it was opened meanwhile,
        // since asking took time.
        let has_moved = place.is_some();
        let lead = || place.map_or(Ended::default(), |(to, url)| database.lead_to(to, &url, types));
        let (ended, held) = database.gate.open_after(closed, lead).ok_or(Refused::NotPaused)?;
        if has_moved {
            self.gateway.cancel_keys.wake_all();
        }
        Ok(Answer::Resumed {
            paused_ms: milliseconds(since.elapsed()),
            clients_held: held.clients,
            clients_ended: ended.tied,
            clients_misled: ended.misled,
        })
    }
}

/// Whether the gateway gets in at a place for every user, and whether it numbers the types that users made as the
/// former one does. What cannot be known of the former one is taken for no.
pub(crate) async fn look_at(database: &Database, to: &str, place: &ConnectionUrl) -> Result<UserTypes, Refused> {
    let looking = async {
        let mut types = UserTypes::Same;
        for (former, next) in database.logins_at(place) {
            let there = user_types(&next).await.map_err(|error| atalaya_data::chain(&error))?;
            if !user_types(&former).await.is_ok_and(|here| here == there) {
                types = UserTypes::Renumbered;
            }
        }
        Ok(types)
    };
    let looked = tokio::time::timeout(ASKING, looking).await;
    let late = || Err(format!("no answer within {} s", ASKING.as_secs()));
    looked.unwrap_or_else(|_| late()).map_err(|why| Refused::PlaceClosed { to: to.to_owned(), why })
}

/// How long a server is asked for its types while the gate is closed.
const ASKING: Duration = Duration::from_secs(5);
const USER_TYPES: &str = "SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws('.', t.oid::text, n.nspname, \
     t.typname), ',' ORDER BY t.oid)) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
     WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(temp|toast)'";

async fn user_types(url: &ConnectionUrl) -> Result<Option<String>, ServerFailure> {
    connect(url, 0, 1).await?.ask(USER_TYPES).await
}
