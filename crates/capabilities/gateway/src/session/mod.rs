//! A client's session, from its greeting to its end.
//!
//! One state machine, driven by whichever socket is ready. It holds no buffer while nothing is under way: bytes are read
//! into the thread's scratch, looked at by their headers, and written on in the longest runs that need no change. What a
//! socket does not take waits in its outbox, and as long as that is not empty nothing is read for it; so neither a slow
//! client nor a slow server makes the gateway grow.
//!
//! - `requests`: from the client to the server; `prepared`: the names of statements on that way; `statements`: what stands
//!   behind them; `bring`: what SQL calls by name.
//! - `replies`: from the server to the client.
//! - `begin`, `end`: how a transaction gets its server, and what has to happen before another client has it; `abandon`: the
//!   same without the client.
//! - `description`: what a server says of a statement's columns.
//! - `probe`: what a transaction may have left in the server's session.
//! - `refuse`: errors of the gateway's own, in the places where a server's would stand; `last_words`: why a session ends.

mod abandon;
#[cfg(test)]
mod arbitrary;
mod begin;
mod bring;
mod description;
mod end;
mod last_words;
mod pins;
mod prepared;
mod probe;
mod refuse;
mod replies;
mod requests;
mod run;
mod statements;
mod stop;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use atalaya_sql::Reading;
use tokio::io::{AsyncRead, ReadBuf};

use crate::cancel::{Cancelling, WantedEnd};
use crate::database::Database;
use crate::gateway::{Gateway, Seat};
use crate::io::{ClientStream, Outbox, rest_of, with_scratch};
use crate::login::LoggedIn;
use crate::pool::Pool;
use crate::server::{Expected, Reported, Server};
use crate::settings::Settings;

use begin::Wait;
use last_words::End;
use pins::Pins;
use probe::{Leavings, Left};
use statements::ClientStatements;

/// Turns of one session before others get theirs.
const TURNS_MAX: usize = 16;
/// What is read ahead of a client that waits.
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// See the module.
pub(crate) struct Session {
    gateway: Arc<Gateway>,
    database: Arc<Database>,
    pool: Arc<Pool>,
    stream: ClientStream,
    /// What the client has not taken yet.
    outbox: Outbox,
    /// What the client sent and nobody has looked at yet, or not all of it is there.
    carry: Vec<u8>,
    /// Whether looking at `carry` again may lead somewhere.
    is_carry_fresh: bool,
    /// What becomes of the rest of a message whose beginning was dealt with.
    body: Body,
    server: Option<Box<Server>>,
    wait: Option<Wait>,
    phase: Phase,
    /// Requests wait until all that was asked of the server is answered.
    is_stalled: bool,
    /// What they wait for is a statement of the client that the server gets in the midst of the client's transaction.
    is_bringing: bool,
    /// A setting of the startup packet may have been reset.
    may_have_reset: bool,
    /// Statements that are being deallocated by name, in the order in which they will be.
    deallocating: VecDeque<String>,
    /// After an error of ours in a pipeline: requests are read over up to the next Sync.
    skips_to_sync: bool,
    settings: Arc<Settings>,
    /// What the client's session began with, which `RESET` goes back to.
    startup: Arc<Settings>,
    /// What the client was told last.
    reported: Arc<Reported>,
    /// How its texts are to be read by that: asked for at each statement.
    reading: Reading,
    /// The place of the server that told it.
    place_epoch: u64,
    /// Whether the client has seen a type's number that another server may give to another type.
    knows_user_types: bool,
    statements: ClientStatements,
    unnamed: Option<prepared::Unnamed>,
    left: Left,
    leavings: Leavings,
    /// What a server said against a statement of ours.
    own_failure: Option<Box<[u8]>>,
    /// The server has said itself why the session ends.
    is_told: bool,
    /// The client has gone in good order: what it asked for before is still to be done.
    has_said_goodbye: bool,
    pins: Pins,
    /// The ties that others can see; `None` while no server is kept.
    noted_pins: Option<Pins>,
    cancelling: Arc<Cancelling>,
    process_id: i32,
    began_at: Instant,
    _seat: Seat,
}

/// Where a session stands with its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// None is under way.
    Outside,
    /// Counted in at the gate; nothing of the client's has been sent to the server.
    Begun,
    /// Something was.
    Asked,
    /// The server is idle and owes nothing; what follows from that is still to do.
    Over,
    /// What it left is being looked at or taken away.
    Tidying,
}

impl Phase {
    /// Whether the session is counted in at the gate.
    fn is_running(self) -> bool {
        self != Self::Outside
    }
}

/// The rest of a client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// Nothing is left.
    Whole,
    /// It goes to the server.
    Passed(usize),
    /// Nobody wants it.
    Dropped(usize),
}

impl Session {
    pub(crate) fn new(stream: ClientStream, parts: LoggedIn) -> Self {
        Self {
            place_epoch: parts.pool.place_epoch(),
            knows_user_types: false,
            gateway: parts.gateway,
            database: parts.database,
            pool: parts.pool,
            stream,
            outbox: Outbox::default(),
            carry: Vec::new(),
            is_carry_fresh: false,
            body: Body::Whole,
            server: None,
            wait: None,
            phase: Phase::Outside,
            is_stalled: false,
            is_bringing: false,
            may_have_reset: false,
            deallocating: VecDeque::new(),
            skips_to_sync: false,
            startup: Arc::clone(&parts.settings),
            settings: parts.settings,
            reading: crate::reading::reading(&parts.reported),
            reported: parts.reported,
            statements: ClientStatements::default(),
            unnamed: None,
            left: Left::default(),
            leavings: Leavings::default(),
            own_failure: None,
            is_told: false,
            has_said_goodbye: false,
            pins: Pins::default(),
            noted_pins: None,
            cancelling: parts.cancelling,
            process_id: parts.process_id,
            began_at: Instant::now(),
            _seat: parts.seat,
        }
    }

    /// One turn: whatever can be done at once. `false` when there was nothing.
    fn turn(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let mut has_moved = false;
        if !self.outbox.is_empty() && self.outbox.poll_flush(context, &mut self.stream).map_err(End::Io)?.is_pending() {
            // The client takes nothing; the server may still have to be told what is on its way.
            self.flush_server(context)?;
            // What is not for the client is read all the same: others wait for the server.
            return if self.owes_only_us() { self.read_server(context) } else { Ok(false) };
        }
        if self.server.is_some() {
            self.flush_server(context)?;
            has_moved |= self.read_server(context)?;
            if self.phase == Phase::Over && !self.is_in_message() {
                self.end_transaction(context)?;
                has_moved = true;
            }
        }
        match self.cancelling.wanted_end() {
            WantedEnd::Never => {}
            // The last reply is on its way; without it the client would not know what became of its transaction.
            WantedEnd::WhenIdle if self.phase.is_running() || !self.outbox.is_empty() => {}
            WantedEnd::WhenIdle | WantedEnd::Now => return Err(End::Stopping),
        }
        if self.outbox.is_empty() {
            self.follow_place()?;
        }
        if self.wait.is_some() {
            has_moved |= self.poll_wait(context)?;
        }
        if self.takes_requests() {
            has_moved |= self.read_client(context)?;
        } else {
            self.watch_client(context)?;
        }
        Ok(has_moved)
    }

    /// Whether all that the server still has to answer are statements of our own.
    fn owes_only_us(&self) -> bool {
        let is_ours = |expected: &Expected| matches!(expected, Expected::Own(_));
        self.server.as_ref().is_some_and(|server| !server.expected.is_empty() && server.expected.iter().all(is_ours))
    }

    fn takes_requests(&self) -> bool {
        self.wait.is_none()
            && !self.is_stalled
            && (self.phase != Phase::Over || self.is_in_message())
            && self.outbox.is_empty()
            && self.server.as_ref().is_none_or(|server| server.outbox.is_empty())
    }

    /// Whether the server has only the beginning of a message. It cannot be given away before it has the rest, although
    /// the transaction may be over: a COPY fails while its data still come.
    fn is_in_message(&self) -> bool {
        matches!(self.body, Body::Passed(_))
    }

    /// Deals with what the client sent before, or else with what it sends now.
    fn read_client(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        if self.is_carry_fresh {
            self.is_carry_fresh = false;
            let carry = std::mem::take(&mut self.carry);
            let used = self.take_requests(context, &carry)?;
            self.carry = rest_of(carry, used);
            // Even if nothing was used: what it has to wait for was perhaps asked for just now, and nobody listens yet.
            return Ok(true);
        }
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => Ok(false),
                Poll::Ready(Err(error)) => Err(End::Io(error)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Err(End::Left),
                Poll::Ready(Ok(())) => {
                    let bytes = buffer.filled();
                    self.database.statistics.bytes_from_clients.add(bytes.len() as u64);
                    if self.carry.is_empty() {
                        let used = self.take_requests(context, bytes)?;
                        self.carry.extend_from_slice(bytes.get(used..).unwrap_or_default());
                    } else {
                        let mut carry = std::mem::take(&mut self.carry);
                        carry.extend_from_slice(bytes);
                        let used = self.take_requests(context, &carry)?;
                        self.carry = rest_of(carry, used);
                    }
                    Ok(true)
                }
            }
        })
    }

    /// Reads a little ahead of a client that waits, so as to see when it leaves.
    fn watch_client(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        if self.carry.len() >= AHEAD_BYTES_MAX {
            return Ok(());
        }
        let room = AHEAD_BYTES_MAX - self.carry.len();
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => Ok(()),
                Poll::Ready(Err(error)) => Err(End::Io(error)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Err(End::Left),
                Poll::Ready(Ok(())) => {
                    self.database.statistics.bytes_from_clients.add(buffer.filled().len() as u64);
                    self.carry.extend_from_slice(buffer.filled());
                    self.is_carry_fresh = true;
                    context.waker().wake_by_ref();
                    Ok(())
                }
            }
        })
    }

    fn flush_server(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        if let Some(server) = self.server.as_mut().filter(|server| !server.outbox.is_empty()) {
            let Server { outbox, stream, .. } = &mut **server;
            let _ready = outbox.poll_flush(context, stream).map_err(|_| End::Server)?;
        }
        Ok(())
    }

    fn read_server(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        match self.read_replies(context) {
            Err(End::Server) if self.may_lose_server() => {
                self.lose_server();
                Ok(true)
            }
            read => read,
        }
    }

    fn read_replies(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        with_scratch(|scratch| {
            let Some(server) = self.server.as_mut() else { return Ok(false) };
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut server.stream).poll_read(context, &mut buffer) {
                Poll::Pending => Ok(false),
                Poll::Ready(Err(_)) => Err(End::Server),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Err(End::Server),
                Poll::Ready(Ok(())) => {
                    let bytes = buffer.filled();
                    if server.carry.is_empty() {
                        let used = self.take_replies(context, bytes)?;
                        self.keep_server_rest(bytes.get(used..).unwrap_or_default().to_vec());
                    } else {
                        let mut carry = std::mem::take(&mut server.carry);
                        carry.extend_from_slice(bytes);
                        let used = self.take_replies(context, &carry)?;
                        self.keep_server_rest(rest_of(carry, used));
                    }
                    self.leave_if_tidied();
                    Ok(true)
                }
            }
        })
    }

    fn keep_server_rest(&mut self, rest: Vec<u8>) {
        if let Some(server) = self.server.as_mut() {
            server.carry = rest;
        }
    }
}

impl Future for Session {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let session = self.get_mut();
        // A task's waker is the same for as long as it lives.
        session.cancelling.waker.get_or_init(|| context.waker().clone());
        for _ in 0..TURNS_MAX {
            match session.turn(context) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(end) => {
                    session.say_why(context, &end);
                    return Poll::Ready(());
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.gateway.cancel_keys.forget(self.process_id);
        self.database.kept.forget(self.process_id);
        if self.knows_user_types {
            self.database.knowing_types.forget(self.process_id);
        }
        self.database.statistics.clients.fetch_sub(1, Ordering::Relaxed);
        self.abandon_server();
    }
}
