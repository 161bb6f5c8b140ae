//! What a cutover needs of whatever stands between clients and servers.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::report::CommandReport;

/// What stands between clients and servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateKind {
    /// A gateway: it holds clients, and when its lease is over it closes the epoch, lifts the fence and opens by itself.
    Gateway,
    /// Commands of the operator's: nothing happens by itself.
    Commands(Holding),
}

/// Who holds clients where commands lead them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// One of the commands does.
    Command,
    /// Nobody: their sessions are ended, and they have to connect again.
    Nobody,
}

/// A gateway that can lead clients to the other server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyGate {
    /// How it names itself; the epoch names it so.
    pub gate: String,
    /// Transactions that run through it now.
    pub running: u64,
    /// Clients that are tied to a server: they are ended when the others are led away.
    pub pinned: u64,
    /// Others that know types by numbers that the other server gives to other types: they are ended, too.
    pub misled: u64,
    /// The newest epoch of the route in the journal that it reads.
    pub last_epoch: u64,
    /// The process, on the server that is left, of the connection by which it lifts the fence.
    pub lifts_by: Option<i32>,
    /// The role that this connection logged in as.
    pub lifts_as: Option<String>,
}

/// A gateway that holds clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// How long the last transaction was waited for.
    pub drained: Duration,
}

/// A gateway that is open again, where the journal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// How long it was closed.
    pub paused: Duration,
    /// Clients that were held.
    pub held: u64,
    /// Clients that were ended, since they were tied to a server whose session is over.
    pub ended: u64,
    /// Others that were ended, since they know types by numbers that the other server gives to other types.
    pub misled: u64,
    /// Transactions that failed: requests that it refused while it was closed.
    pub failed: u64,
    /// The longest that a client waited.
    pub longest_wait: Duration,
}

/// Why a part that others do was not done. Never holds a row's value, a statement of a client's or a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct PartError {
    /// What was met.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl PartError {
    /// Without a hint.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }
}

/// One gateway, or what stands for one. Every call ends by itself within a time of its own; [`TrafficGate::arm`] a little after its limit.
pub trait TrafficGate: Send + Sync + 'static {
    /// Where it is asked, as people name it.
    fn address(&self) -> &str;

    /// What it is.
    fn kind(&self) -> GateKind {
        GateKind::Gateway
    }

    /// The commands that it has run for a database, in their order.
    fn ran(&self, _database: &str) -> Vec<CommandReport> {
        Vec::new()
    }

    /// Whether clients of a database can be led to another place; touches no client. None where it leads nobody to that
    /// database.
    fn ready<'a>(&'a self, database: &'a str, to: &'a str) -> BoxFuture<'a, Result<Option<ReadyGate>, PartError>>;

    /// Holds new transactions and waits for those that run. From here on the gate closes the epoch when its lease is over.
    /// After a failure it holds nobody, or lets them go by itself.
    fn arm<'a>(
        &'a self,
        database: &'a str,
        epoch: u64,
        drain_limit: Duration,
    ) -> BoxFuture<'a, Result<Armed, PartError>>;

    /// What was decided of a database is about to be followed: clients are let in, and then [`TrafficGate::settle`] is asked.
    fn follows(&self, _database: &str) {}

    /// Has it read what was decided, and open. A gateway may be asked while clients are let in, commands only behind that. None where it leads nobody to that database.
    fn settle<'a>(&'a self, database: &'a str, epoch: u64) -> BoxFuture<'a, Result<Option<Settled>, PartError>>;
}
