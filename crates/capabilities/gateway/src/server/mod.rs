//! A connection to a server, and all that has to be known of its session.

#[cfg(test)]
mod arbitrary;
mod cancellable;
mod connect;
mod expected;
mod names;
mod own;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use atalaya_pgwire::TransactionStatus;
use atalaya_pgwire::server::client_tag;
use atalaya_postgres::wire::Stream;

use crate::io::Outbox;
use crate::settings::Settings;

pub(crate) use cancellable::{CancelSlot, Cancellable};
pub(crate) use connect::connect;
pub(crate) use expected::{Audience, DescribeStep, Expected, NamedParse, OwnStatement, ParseStep, ParsedAs, Probing};
pub(crate) use names::{RESERVED_PREFIX, ServerNames, StatementName};

/// Settings that a server reports, by name.
pub(crate) type Reported = BTreeMap<String, String>;

/// Where the client's data for a COPY stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CopyIn {
    /// The server waits for none.
    #[default]
    None,
    /// The server waits for data.
    Open,
    /// All data was sent; the server's answer is still to come.
    Sent,
}

/// See the module.
pub(crate) struct Server {
    pub(crate) stream: Stream,
    /// What the server has not taken yet.
    pub(crate) outbox: Outbox,
    /// The beginning of a message whose rest is still to come.
    pub(crate) carry: Vec<u8>,
    /// Bytes that remain of a message whose beginning was passed on already.
    pub(crate) body_left: usize,
    /// Requests that were sent and not yet answered, in their order.
    pub(crate) expected: VecDeque<Expected>,
    /// After an error in a pipeline: the server reads over everything up to the next Sync.
    pub(crate) skips_to_sync: bool,
    pub(crate) copy_in: CopyIn,
    pub(crate) status: TransactionStatus,
    /// What its session is set to.
    pub(crate) label: Arc<Settings>,
    pub(crate) reported: Reported,
    pub(crate) names: ServerNames,
    /// Whose unnamed statement it holds; 0 is nobody's.
    pub(crate) unnamed: u64,
    /// Statements that stand under their client's own names, from SQL or for SQL.
    pub(crate) own_named: Vec<Vec<u8>>,
    /// Statements that could not be closed yet, since a pipeline failed before.
    pub(crate) to_close: Vec<StatementName>,
    /// Its session may hold what no one can see; it is closed instead of handed over.
    pub(crate) is_spoilt: bool,
    /// Who had it last, by the number in its cancel key.
    pub(crate) last_client: i32,
    pub(crate) opened_at: Instant,
    pub(crate) idle_since: Instant,
    /// Which place of the database it was opened to.
    pub(crate) place_epoch: u64,
    pub(crate) cancel: Arc<Cancellable>,
}

impl Server {
    /// Whether nothing was said while it was idle: a server that ends a session says so.
    ///
    /// Asks the readiness that the runtime already knows, not the system.
    pub(crate) fn is_silent(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        match &self.stream {
            Stream::Tcp(stream) => stream.poll_read_ready(&mut context).is_pending(),
            Stream::Unix(stream) => stream.poll_read_ready(&mut context).is_pending(),
            Stream::Tls(stream) => stream.get_ref().0.poll_read_ready(&mut context).is_pending(),
        }
    }

    /// Whether another client may have it as it is, but for its settings.
    pub(crate) fn is_clean(&self) -> bool {
        !self.is_spoilt
            && !self.cancel.is_doubtful()
            && self.status == TransactionStatus::Idle
            && self.expected.is_empty()
            && self.copy_in == CopyIn::None
            && !self.skips_to_sync
            && self.body_left == 0
            && self.carry.is_empty()
            && self.outbox.is_empty()
            && self.own_named.is_empty()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Spares the server a line in its log; the socket's end is the end in any case.
        let mut context = Context::from_waker(Waker::noop());
        if self.outbox.is_empty() {
            let goodbye = [client_tag::TERMINATE, 0, 0, 0, 4];
            let _ended = self.outbox.write(&mut context, &mut self.stream, &goodbye);
        }
    }
}
