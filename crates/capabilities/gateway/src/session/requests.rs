//! What a client asks, message by message.

use std::sync::atomic::Ordering;
use std::task::Context;

use atalaya_pgwire::server::{HEADER_BYTES, Query, Severity, client_tag, header, reply, rewrite};
use atalaya_pgwire::{CodecError, TransactionStatus};
use atalaya_sql::{PreparedAction, SessionEffects, session_effects};

use super::begin::Begun;
use super::pins::Pin;
use super::run::Run;
use super::stop::Stop;
use super::{Body, End, Phase, Session};
use crate::error::refusal;
use crate::server::{Audience, CopyIn, Expected, OwnStatement};

/// A statement up to this size is read whole, to see what it may leave in the session; of a larger one nothing is known.
pub(super) const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// Messages that are read whole have no more bytes than this.
pub(super) const NAMED_BYTES_MAX: usize = 64 << 10;

/// More names that are being given up at a time are not told from others.
const DEALLOCATING_MAX: usize = 1024;

/// How much of the bytes was dealt with, or why nothing was.
pub(super) type Taken = Result<usize, Stop>;

impl Session {
    /// Deals with as many messages as can be; returns how many bytes they were.
    pub(super) fn take_requests(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Result<usize, End> {
        let mut run = Run::new(bytes);
        let mut at = 0;
        loop {
            at += self.take_body(bytes, at, &mut run);
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            if self.phase == Phase::Over {
                self.is_carry_fresh = true;
                break;
            }
            match self.take_request(context, rest, at, &mut run) {
                Ok(Ok(used)) => at += used,
                Ok(Err(Stop::Incomplete)) => break,
                Err(end) => {
                    // What came before it counts.
                    self.send(context, &mut run);
                    return Err(end);
                }
                Ok(Err(Stop::Later)) => {
                    self.is_carry_fresh = true;
                    break;
                }
            }
        }
        self.send(context, &mut run);
        Ok(at)
    }

    /// The rest of a message whose beginning was dealt with.
    fn take_body(&mut self, bytes: &[u8], at: usize, run: &mut Run<'_>) -> usize {
        let available = bytes.len() - at;
        match &mut self.body {
            Body::Whole => 0,
            Body::Passed(left) | Body::Dropped(left) => {
                let used = available.min(*left);
                *left -= used;
                let is_over = *left == 0;
                if matches!(self.body, Body::Passed(_)) {
                    run.pass(at, at + used);
                }
                if is_over {
                    self.body = Body::Whole;
                }
                used
            }
        }
    }

    fn send(&mut self, context: &mut Context<'_>, run: &mut Run<'_>) {
        let bytes = run.finished();
        let Some(server) = self.server.as_mut().filter(|_| !bytes.is_empty()) else { return };
        let server = &mut **server;
        // A server that has gone has said why; that is read before its end is noticed.
        let _gone = server.outbox.write(context, &mut server.stream, bytes);
    }

    fn take_request(
        &mut self,
        context: &mut Context<'_>,
        rest: &[u8],
        at: usize,
        run: &mut Run<'_>,
    ) -> Result<Taken, End> {
        let Some((tag, length)) = header(rest)? else { return Ok(Err(Stop::Incomplete)) };
        let message = Message { tag, length, rest, at };
        if tag == client_tag::TERMINATE {
            self.has_said_goodbye = true;
            return Err(End::Goodbye);
        }
        if self.skips_to_sync {
            return Ok(self.skip_to_sync(&message));
        }
        if !self.phase.is_running() {
            match tag {
                // Postgres reads over what remains of a COPY that failed, and has nothing to flush.
                client_tag::FLUSH | client_tag::COPY_DATA | client_tag::COPY_DONE | client_tag::COPY_FAIL => {
                    return Ok(Ok(self.drop_message(&message)));
                }
                client_tag::SYNC => {
                    reply::ready_for_query(TransactionStatus::Idle, self.outbox.buffer());
                    return Ok(Ok(self.drop_message(&message)));
                }
                client_tag::FUNCTION_CALL => return Ok(Ok(self.refuse_function_call(&message))),
                _ => {}
            }
            if self.begin(context)? == Begun::Later {
                return Ok(Err(Stop::Later));
            }
        }
        if self.is_stalled {
            return Ok(Err(Stop::Later));
        }
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        if server.skips_to_sync && tag != client_tag::SYNC {
            return Ok(Ok(self.drop_message(&message)));
        }
        if server.copy_in == CopyIn::Open {
            return self.take_during_copy(&message, run);
        }
        let taken = self.take_asked(&message, run);
        if self.phase == Phase::Begun && matches!(taken, Ok(Ok(_))) {
            self.phase = Phase::Asked;
        }
        taken
    }

    /// A request of a client that has its server.
    fn take_asked(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        match message.tag {
            client_tag::QUERY => self.take_query(message, run),
            client_tag::PARSE => self.take_parse(message, run),
            client_tag::BIND => self.take_bind(message, run),
            client_tag::DESCRIBE => self.take_describe(message, run),
            client_tag::CLOSE => self.take_close(message, run),
            client_tag::EXECUTE => {
                server.expected.push_back(Expected::Execute(Audience::Client));
                self.database.statistics.queries.add(1);
                Ok(Ok(self.pass_message(message, run)))
            }
            client_tag::SYNC => {
                server.expected.push_back(Expected::Sync);
                server.skips_to_sync = false;
                self.is_stalled |= self.has_to_follow();
                Ok(Ok(self.pass_message(message, run)))
            }
            client_tag::COPY_DONE | client_tag::COPY_FAIL => {
                // Sent before the server said that it waits for data.
                if !server.expected.is_empty() {
                    server.expected.push_back(Expected::CopyEnd);
                }
                Ok(Ok(self.pass_message(message, run)))
            }
            client_tag::FLUSH | client_tag::COPY_DATA => Ok(Ok(self.pass_message(message, run))),
            client_tag::FUNCTION_CALL => {
                if server.expected.is_empty() {
                    return Ok(Ok(self.refuse_function_call(message)));
                }
                self.is_stalled = true;
                Ok(Err(Stop::Later))
            }
            tag => Err(End::Client(CodecError::UnknownTag { context: "client message", tag })),
        }
    }

    /// The server waits for copy data, and reads over Flush and Sync.
    fn take_during_copy(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        match message.tag {
            client_tag::COPY_DATA | client_tag::FLUSH => {}
            client_tag::COPY_DONE | client_tag::COPY_FAIL => server.copy_in = CopyIn::Sent,
            // Unless the COPY has just failed: then it answers this one, and nobody can tell beforehand.
            client_tag::SYNC => server.is_spoilt = true,
            tag => return Err(End::Client(CodecError::UnknownTag { context: "client message", tag })),
        }
        Ok(Ok(self.pass_message(message, run)))
    }

    fn take_query(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        if message.length > STATEMENT_BYTES_MAX {
            self.left.add_unknown();
        } else {
            let Some(body) = message.body() else { return Ok(Err(Stop::Incomplete)) };
            let effects = self.effects_of(Query::decode(body)?.sql);
            if !effects.is_plain() && self.bring_named(&effects, run)? == Begun::Later {
                return Ok(Err(Stop::Later));
            }
            self.note(&effects);
            self.forget_sequences(&effects, run)?;
            // What is prepared behind it is not dropped with the rest.
            let drops_all = |used: &atalaya_sql::PreparedUse| used.action == PreparedAction::DeallocateAll;
            self.is_stalled =
                effects.discards.is_some() || effects.prepared.iter().any(drops_all) || self.has_to_follow();
        }
        // A simple query takes the unnamed statement away.
        self.unnamed = None;
        self.pins.clear(Pin::LargeStatement);
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        server.unnamed = 0;
        server.expected.push_back(Expected::Query);
        self.database.statistics.queries.add(1);
        Ok(Ok(self.pass_message(message, run)))
    }

    /// What a sequence gave to the client that had this server before is none of this one's business. Only as the first
    /// thing of a transaction, or it would take away what this client was given.
    pub(super) fn forget_sequences(&mut self, effects: &SessionEffects, run: &mut Run<'_>) -> Result<(), End> {
        if effects.sequence_state {
            // From now on each server is made to forget when it changes hands.
            self.database.reads_sequences.store(true, Ordering::Relaxed);
        }
        let is_due = effects.sequence_state && self.phase == Phase::Begun && !self.keeps_server();
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        if is_due && server.expected.is_empty() && server.status == TransactionStatus::Idle {
            rewrite::query(b"DISCARD SEQUENCES", run.other())?;
            server.unnamed = 0;
            server.expected.push_back(Expected::Own(OwnStatement::Tidy));
        }
        Ok(())
    }

    /// What a text may leave. One whose meaning hangs on a setting that may be about to change leaves anything.
    pub(super) fn effects_of(&self, sql: &[u8]) -> SessionEffects {
        let mut effects = session_effects(sql, self.reading);
        let is_plain_text = sql.is_ascii() && !sql.contains(&b'\\');
        effects.unknown |= !is_plain_text && self.is_reading_in_doubt();
        effects
    }

    /// Whether a statement that may change settings is not answered yet.
    fn is_reading_in_doubt(&self) -> bool {
        let is_asked = self.server.as_ref().is_some_and(|server| !server.expected.is_empty());
        is_asked && self.left.may_change_settings()
    }

    /// Whether what is asked next hangs on what was asked before: a name that is given up, a setting that is reset.
    pub(super) fn has_to_follow(&self) -> bool {
        self.may_have_reset || !self.deallocating.is_empty()
    }

    /// Notes what a statement may leave, which is sent now.
    pub(super) fn note(&mut self, effects: &SessionEffects) {
        if !effects.is_plain() {
            self.left.add(effects);
            self.may_have_reset |= self.startup.may_be_reset_by(effects);
            let given_up = effects.prepared.iter().filter(|used| used.action == PreparedAction::Deallocate);
            for used in given_up.take(DEALLOCATING_MAX.saturating_sub(self.deallocating.len())) {
                self.deallocating.push_back(used.name.clone());
            }
        }
        let makes_temporary = |path: &str| path.to_ascii_lowercase().contains("pg_temp");
        if effects.ddl
            && (self.left.may_change_settings() || self.settings.get("search_path").is_some_and(makes_temporary))
        {
            self.left.add_objects();
        }
    }

    /// Passes a message on as it is, as far as it is there.
    pub(super) fn pass_message(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> usize {
        let used = message.available();
        run.pass(message.at, message.at + used);
        if used < message.total() {
            self.body = Body::Passed(message.total() - used);
        }
        used
    }

    pub(super) fn drop_message(&mut self, message: &Message<'_>) -> usize {
        let used = message.available();
        if used < message.total() {
            self.body = Body::Dropped(message.total() - used);
        }
        used
    }

    fn skip_to_sync(&mut self, message: &Message<'_>) -> Taken {
        if message.tag == client_tag::SYNC {
            self.skips_to_sync = false;
            reply::ready_for_query(TransactionStatus::Idle, self.outbox.buffer());
        }
        Ok(self.drop_message(message))
    }

    /// It would run a function, `set_config` for one, without a statement to look at.
    fn refuse_function_call(&mut self, message: &Message<'_>) -> usize {
        let status = self.server.as_ref().map_or(TransactionStatus::Idle, |server| server.status);
        let text = "the gateway does not serve function calls by the protocol's FunctionCall";
        reply::error(&refusal(Severity::Error, "0A000", text), self.outbox.buffer());
        reply::ready_for_query(status, self.outbox.buffer());
        self.drop_message(message)
    }
}

/// A message whose header was read; its body may not be all there.
pub(super) struct Message<'a> {
    pub(super) tag: u8,
    pub(super) length: usize,
    rest: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Message<'a> {
    /// The body, when all of it is there.
    pub(super) fn body(&self) -> Option<&'a [u8]> {
        self.rest.get(HEADER_BYTES..self.total())
    }

    /// As much of the body as is there.
    pub(super) fn body_so_far(&self) -> &'a [u8] {
        self.rest.get(HEADER_BYTES..self.available()).unwrap_or_default()
    }

    pub(super) fn total(&self) -> usize {
        HEADER_BYTES + self.length
    }

    pub(super) fn available(&self) -> usize {
        self.total().min(self.rest.len())
    }
}
