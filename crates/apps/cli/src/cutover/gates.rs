//! A gateway that is asked over its administration.

use std::path::PathBuf;
use std::time::Duration;

use atalaya_cutover::{Armed, PartError, ReadyGate, Settled, TrafficGate};
use atalaya_gateway::admin::{AdminIdentity, AdminSocket, Answer, Refused, RemoteAdmin, Request};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::exit::Failure;

/// Making ready compares types and opens connections.
const READY: Duration = Duration::from_secs(30);
/// Beyond what it is told to wait for; and for opening again, where the fence may have to be lifted first.
const ANSWER: Duration = Duration::from_secs(10);

/// One gateway by its address.
pub(crate) struct AdminGate {
    address: String,
    at: At,
}

enum At {
    Socket(PathBuf),
    Remote(RemoteAdmin),
}

impl AdminGate {
    /// The gateway of this machine that listens at a socket file.
    pub(crate) fn local(path: PathBuf) -> Self {
        Self { address: path.display().to_string(), at: At::Socket(path) }
    }

    /// One that listens for administrators of other machines.
    pub(crate) fn remote(host: &str, port: u16, identity: &AdminIdentity) -> Result<Self, Failure> {
        let at = At::Remote(RemoteAdmin::new(host, port, identity)?);
        Ok(Self { address: format!("{host}:{port}"), at })
    }

    async fn ask(&self, request: &Request, limit: Duration) -> Result<Answer, PartError> {
        match self.answer(request, limit).await? {
            Answer::Refused(refused) => Err(told(&refused)),
            answer => Ok(answer),
        }
    }

    /// The same; none where it leads nobody to the database that is asked about.
    async fn ask_if_led(&self, request: &Request, limit: Duration) -> Result<Option<Answer>, PartError> {
        match self.answer(request, limit).await? {
            Answer::Refused(Refused::NoRoute { .. }) => Ok(None),
            Answer::Refused(refused) => Err(told(&refused)),
            answer => Ok(Some(answer)),
        }
    }

    async fn answer(&self, request: &Request, limit: Duration) -> Result<Answer, PartError> {
        let answer = match &self.at {
            At::Socket(path) => AdminSocket::ask(path, request, limit).await,
            At::Remote(gateway) => gateway.ask(request, limit).await,
        };
        answer.map_err(|error| PartError {
            text: format!("no gateway answers: {error}"),
            hint: Some("start it with `atalaya gateway run`, or see that it can be reached".to_owned()),
        })
    }
}

fn told(refused: &Refused) -> PartError {
    PartError { hint: hint(refused), text: refused.to_string() }
}

fn hint(refused: &Refused) -> Option<String> {
    let hint = match refused {
        Refused::NotDrained { .. } => {
            "end the long transactions, or give them longer with --max-pause; nothing was cut"
        }
        Refused::PlaceClosed { .. } => {
            "see that the server can be reached; each user's server secret has to hold there, too"
        }
        Refused::NoRoute { .. } => "its estate file has to lead a database to where the migration comes from",
        Refused::NoJournal | Refused::NoEpoch { .. } => {
            "start it with the same --journal, or the same --state where that is a folder"
        }
        Refused::Late { .. } => {
            "see why the journal answers it late, or give it longer with --max-pause; nothing was cut"
        }
        Refused::NotNamed { .. } | Refused::NotReady { .. } => "it was started again meanwhile: try again",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn unexpected() -> PartError {
    PartError::new("the gateway answers something else")
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl TrafficGate for AdminGate {
    fn address(&self) -> &str {
        &self.address
    }

    fn ready<'a>(&'a self, database: &'a str, to: &'a str) -> BoxFuture<'a, Result<Option<ReadyGate>, PartError>> {
        async move {
            let request = Request::Ready { database: database.to_owned(), to: to.to_owned() };
            let ready = match self.ask_if_led(&request, READY).await? {
                Some(Answer::Ready(ready)) => ready,
                Some(_) => return Err(unexpected()),
                None => return Ok(None),
            };
            Ok(Some(ReadyGate {
                gate: ready.gate,
                running: count(ready.running),
                pinned: count(ready.kept.len()),
                misled: count(ready.misled),
                last_epoch: ready.last_epoch,
                lifts_by: Some(ready.fence_process_id),
                lifts_as: Some(ready.session_user),
            }))
        }
        .boxed()
    }

    fn arm<'a>(
        &'a self,
        database: &'a str,
        epoch: u64,
        drain_limit: Duration,
    ) -> BoxFuture<'a, Result<Armed, PartError>> {
        async move {
            let drain_limit_ms = u64::try_from(drain_limit.as_millis()).unwrap_or(u64::MAX);
            let request = Request::Arm { database: database.to_owned(), epoch, drain_limit_ms };
            match self.ask(&request, drain_limit + ANSWER).await? {
                Answer::Armed { drained_ms } => Ok(Armed { drained: Duration::from_millis(drained_ms) }),
                _ => Err(unexpected()),
            }
        }
        .boxed()
    }

    fn settle<'a>(&'a self, database: &'a str, epoch: u64) -> BoxFuture<'a, Result<Option<Settled>, PartError>> {
        async move {
            let request = Request::Settle { database: database.to_owned(), epoch };
            let settled = match self.ask_if_led(&request, ANSWER).await? {
                Some(Answer::Settled(settled)) => settled,
                Some(_) => return Err(unexpected()),
                None => return Ok(None),
            };
            Ok(Some(Settled {
                paused: Duration::from_millis(settled.paused_ms),
                held: count(settled.clients_held),
                ended: count(settled.clients_ended),
                misled: count(settled.clients_misled),
                failed: settled.requests_refused,
                longest_wait: Duration::from_millis(settled.longest_wait_ms),
            }))
        }
        .boxed()
    }
}
