//! The words of the administration; a versioned contract.

use serde::{Deserialize, Serialize};

use super::{GatewayStatus, KeptClient};
use crate::gate::GateEpoch;

/// What can be asked of a serving gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What it is doing.
    Status,
    /// Hold new transactions of a database, and wait until those that run are over.
    Pause {
        /// The gateway's name of the database.
        database: String,
        /// How long running transactions are waited for; then the gate opens again.
        drain_limit_ms: u64,
        /// How long it stays closed at most; then it opens again by itself.
        hold_limit_ms: u64,
    },
    /// Open the gate.
    Resume {
        /// The gateway's name of the database.
        database: String,
        /// The epoch of the pause; `None` opens whatever is closed.
        epoch: Option<GateEpoch>,
        /// The database of the estate that it leads to from here on; `None` leaves it where it is.
        to: Option<String>,
    },
    /// Make ready for leading a database elsewhere, without touching a client: whether every user gets in there, whether both
    /// servers number types alike, connections to it, and one to the present server by which its fence can be lifted.
    Ready {
        /// The database whose route it is: the estate's name of where the gateway's databases lead by its file.
        database: String,
        /// The database of the estate that clients are to be led to.
        to: String,
    },
    /// Hold new transactions for an epoch that is open in the journal, and wait until those that run are over. The epoch's lease
    /// runs from when this is asked for: at its end the gateway closes the epoch, unless it was decided before.
    Arm {
        /// The database whose route it is.
        database: String,
        /// The epoch's number.
        epoch: u64,
        /// How long running transactions are waited for; then the gateway closes the epoch and opens its gate.
        drain_limit_ms: u64,
    },
    /// An epoch is decided: read in the journal how, and open the gate accordingly.
    Settle {
        /// The database whose route it is.
        database: String,
        /// The epoch's number.
        epoch: u64,
    },
    /// Read the estate again.
    Reload,
    /// Another gateway serves the same addresses: let clients go as they become idle, and end.
    HandOver,
}

/// What a gateway answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<GatewayStatus>),
    /// The gate is closed and no transaction runs.
    Paused {
        /// What opens it again.
        epoch: GateEpoch,
        /// How long the last transaction was waited for.
        drained_ms: u64,
    },
    /// The gate is open.
    Resumed {
        /// How long it was closed.
        paused_ms: u64,
        /// Clients that were held.
        clients_held: usize,
        /// Clients that were bound to the server that is no longer used, and were ended.
        clients_ended: usize,
        /// Others that were ended, since they know types by numbers that the other server gives to other types.
        #[serde(default)]
        clients_misled: usize,
    },
    /// To [`Request::Ready`].
    Ready(Readiness),
    /// The gate is closed for the epoch and no transaction runs.
    Armed {
        /// How long the last transaction was waited for.
        drained_ms: u64,
    },
    /// To [`Request::Settle`]; the same again when it is asked again.
    Settled(Settled),
    /// The estate was read again and is served.
    Reloaded,
    /// The gateway ends.
    HandedOver,
    /// It was not done.
    Refused(Refused),
}

/// A gateway that is ready to be armed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// What it calls itself: this process, to be named among an epoch's gates. Another one after a restart.
    pub gate: String,
    /// The estate's name of where clients are now.
    pub from: String,
    /// The number of the route's newest epoch, as the gateway reads it in its journal; 0 for none.
    pub last_epoch: u64,
    /// The process, at the server that clients are on, of the connection by which the fence can be lifted. Whoever fences
    /// leaves it alone.
    pub fence_process_id: i32,
    /// The role that this connection logged in as: whoever fences as another one could not be lifted by it.
    pub session_user: String,
    /// Connections to the new place that are open already.
    pub servers_open: usize,
    /// Transactions under way.
    pub running: usize,
    /// Clients that keep a server between transactions, and will be ended when they are led elsewhere.
    pub kept: Vec<KeptClient>,
    /// Others that know types by numbers that the new place gives to other types, and will be ended, too.
    #[serde(default)]
    pub misled: usize,
}

/// A gate that was opened, or was open, after a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// What the journal says.
    #[serde(flatten)]
    pub decision: Settlement,
    /// The estate's name of where clients are from here on.
    pub leads_to: String,
    /// How long the gate was closed; 0 when it was not.
    pub paused_ms: u64,
    /// Clients that were held when it opened.
    pub clients_held: usize,
    /// Clients that were bound to the server that is no longer used, and were ended; those included whose server's session
    /// was ended while the gate was closed.
    pub clients_ended: usize,
    /// Others that were ended, since they know types by numbers that the new place gives to other types.
    #[serde(default)]
    pub clients_misled: usize,
    /// Requests that were refused while the gate was closed, each a transaction that failed.
    #[serde(default)]
    pub requests_refused: u64,
    /// How long the first of those that were held had waited.
    pub longest_wait_ms: u64,
}

/// How an epoch was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Settlement {
    /// Clients are led elsewhere.
    Flipped,
    /// Clients stay.
    Closed {
        /// Who closed it.
        by: String,
        /// Why.
        reason: String,
    },
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refused {
    /// The words are none of [`Request`].
    #[error("the request is not understood")]
    Unknown,
    /// There is no such database.
    #[error("the gateway has no database `{database}`")]
    NoDatabase {
        /// As it was asked for.
        database: String,
    },
    /// Somebody else has paused it.
    #[error("the database is paused already, under epoch {epoch}")]
    Paused {
        /// What opens it.
        epoch: GateEpoch,
    },
    /// It is not paused, or not under this epoch.
    #[error("the database is not paused under this epoch")]
    NotPaused,
    /// Transactions went on for longer than they were waited for; the gate is open again and nothing was cut.
    #[error("after {waited_ms} ms {running} transactions still ran; the gate is open again")]
    NotDrained {
        /// How many.
        running: usize,
        /// How long they were waited for.
        waited_ms: u64,
    },
    /// The place is none.
    #[error("`{to}` is no Postgres of the estate")]
    NoPlace {
        /// As it was asked for.
        to: String,
    },
    /// The gateway does not get in there; the gate stays closed.
    #[error("the gateway cannot log in at `{to}`: {why}")]
    PlaceClosed {
        /// The place.
        to: String,
        /// What was met.
        why: String,
    },
    /// Its gate is closed for an epoch of its route, or as long as its route is not known: nobody but the journal opens it.
    #[error("the gate waits for what the journal says of the route of `{database}`")]
    Held {
        /// The route's database.
        database: String,
    },
    /// The journal leads the database, and leads it elsewhere.
    #[error("the journal leads the database to `{to}`")]
    Routed {
        /// Where to.
        to: String,
    },
    /// The gateway serves nothing of this route.
    #[error("no database of the gateway leads to `{database}` by its estate file")]
    NoRoute {
        /// As it was asked for.
        database: String,
    },
    /// The gateway has no journal, or there is nothing in it yet.
    #[error("the gateway has no journal that an epoch could stand in")]
    NoJournal,
    /// The journal does not answer, or not what is understood.
    #[error("the journal cannot be read by the gateway: {why}")]
    Journal {
        /// What was met.
        why: String,
    },
    /// An epoch of the route is open.
    #[error("epoch {epoch} is open, for the migration `{migration}`")]
    EpochOpen {
        /// Its number.
        epoch: u64,
        /// What it was opened for.
        migration: String,
    },
    /// The gateway's journal has no such epoch.
    #[error("the gateway's journal has no epoch {epoch} of this route")]
    NoEpoch {
        /// As it was asked for.
        epoch: u64,
    },
    /// It is too late to be armed for it.
    #[error("epoch {epoch} is decided already")]
    Decided {
        /// Its number.
        epoch: u64,
    },
    /// The journal showed the epoch only when its lease was over; the gate was not closed.
    #[error("the journal took {waited_ms} ms to show epoch {epoch}, whose lease was over by then")]
    Late {
        /// Its number.
        epoch: u64,
        /// How long the journal was waited for.
        waited_ms: u64,
    },
    /// The journal has no decision yet.
    #[error("epoch {epoch} is not decided yet")]
    Undecided {
        /// Its number.
        epoch: u64,
    },
    /// The epoch was opened for other gates.
    #[error("the epoch does not count on the gate `{gate}`")]
    NotNamed {
        /// What the gateway calls itself.
        gate: String,
    },
    /// It was not made ready for this place, or not recently, or was started or read its estate since.
    #[error("the gateway was not made ready to be led to `{to}`")]
    NotReady {
        /// The epoch's place.
        to: String,
    },
    /// Clients are elsewhere than the epoch says, or are there already.
    #[error("clients are led to `{leads_to}`")]
    Elsewhere {
        /// Where they are.
        leads_to: String,
    },
    /// Nobody is let in by the server that clients were to stay on; the gate is closed still, and it is tried again.
    #[error("the fence around `{at}` cannot be lifted: {why}")]
    Fenced {
        /// The estate's name of that server.
        at: String,
        /// What was met.
        why: String,
    },
    /// The estate cannot be served; the former one still is.
    #[error("the estate cannot be served: {text}")]
    Estate {
        /// What is wrong with it.
        text: String,
    },
}
