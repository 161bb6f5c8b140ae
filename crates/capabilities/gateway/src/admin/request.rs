//! The words of the administration; a versioned contract.

use serde::{Deserialize, Serialize};

use super::GatewayStatus;
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
    },
    /// The estate was read again and is served.
    Reloaded,
    /// The gateway ends.
    HandedOver,
    /// It was not done.
    Refused(Refused),
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
    /// The estate cannot be served; the former one still is.
    #[error("the estate cannot be served: {text}")]
    Estate {
        /// What is wrong with it.
        text: String,
    },
}
