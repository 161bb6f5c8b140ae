//! What a server still has to answer, in the order in which it was asked.
//!
//! The protocol has no request numbers: an answer belongs to the oldest request without one. So whatever is put into a
//! client's pipeline, or taken out of it, is known by its place in this queue.

use std::sync::Arc;

use atalaya_pgwire::server::Refusal;

use super::StatementName;
use crate::prepared::Prepared;
use crate::settings::Settings;

/// A request under way.
#[derive(Debug)]
pub(crate) enum Expected {
    /// A simple query of the client; ends with ReadyForQuery.
    Query,
    /// Ends with ReadyForQuery.
    Sync,
    Parse(ParseStep),
    Bind(Audience),
    DescribeStatement(DescribeStep),
    DescribePortal,
    Execute(Audience),
    /// `None` is the client's own; else the gateway closes what makes room.
    Close(Option<StatementName>),
    /// The client's end of copy data; answers nothing by itself.
    CopyEnd,
    /// A statement of the gateway's own by the simple protocol; the client sees nothing of it.
    Own(OwnStatement),
}

/// Who gets the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Client,
    Gateway,
}

#[derive(Debug)]
pub(crate) struct ParseStep {
    pub(crate) audience: Audience,
    pub(crate) parsed: ParsedAs,
}

#[derive(Debug)]
pub(crate) enum ParsedAs {
    Unnamed,
    Named(Box<NamedParse>),
    /// Under the client's own name, since SQL calls it by that. A Sync of ours follows.
    Own,
    /// The same within a transaction of the client's, which a Sync would end. What fails fails the client's pipeline.
    Brought,
    /// Sent in a form that the server refuses, so that its transaction fails; the client gets this error for it.
    Refused(Box<Refusal>),
}

/// A named statement on its way to a server.
#[derive(Clone, Debug)]
pub(crate) struct NamedParse {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) name: StatementName,
    /// The client's name for it.
    pub(crate) client_name: Box<[u8]>,
    /// The client, when it prepares it; the gateway, when the client goes on using it at another server.
    pub(crate) asked_by: Audience,
}

#[derive(Debug)]
pub(crate) struct DescribeStep {
    pub(crate) audience: Audience,
    /// What the parameters' description adds to the digest.
    pub(crate) digest: u64,
    /// A description that is compared with that of others who prepared the same text.
    pub(crate) check: Option<Box<NamedParse>>,
}

/// How often the gateway has asked what a transaction has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probing {
    /// Under the client's settings, a limit on time among them.
    First,
    /// So many times more, without the limit.
    Again(u32),
}

/// Why the gateway asks.
#[derive(Debug)]
pub(crate) enum OwnStatement {
    /// The session gets these settings.
    Settings(Arc<Settings>),
    /// What a transaction has left in the session.
    Probe(Probing),
    /// The client's limit on a statement's time is put aside for the next one of ours, and told.
    SetLimitAside,
    /// What was left is taken away.
    Tidy,
    /// A statement that the client prepared by SQL is prepared again.
    Prepare,
    /// What a RESET within a transaction has given up of the client's startup settings is set again.
    Restore,
}
