//! Errors of the gateway's own, where a server's would stand.

use std::sync::atomic::Ordering;

use atalaya_pgwire::TransactionStatus;
use atalaya_pgwire::server::{HEADER_BYTES, Refusal, Severity, client_tag, header, reply};

use super::{Body, Phase, Session};
use crate::error::refusal;

impl Session {
    /// Answers the message that waited for a server with an error; no transaction has begun.
    pub(super) fn refuse_waiting(&mut self, refusal: &Refusal) {
        reply::error(refusal, self.outbox.buffer());
        self.drop_waiting();
    }

    /// The same in the words of a server that refused the client's settings.
    pub(super) fn refuse_waiting_in_words_of_server(&mut self, body: &[u8]) {
        reply::error_body(body, self.outbox.buffer());
        self.drop_waiting();
    }

    /// Answers the message that waited for a statement of ours in the server's own words against that one. The server
    /// stays, with its transaction, which has failed if one is open.
    pub(super) fn refuse_in_words_of_server(&mut self, body: &[u8]) {
        reply::error_body(body, self.outbox.buffer());
        let waited = self.drop_message_at_hand();
        let Some(server) = self.server.as_mut() else { return };
        if waited == Some(client_tag::QUERY) {
            reply::ready_for_query(server.status, self.outbox.buffer());
            if server.status == TransactionStatus::Idle && server.expected.is_empty() {
                self.phase = Phase::Over;
            }
        } else {
            server.skips_to_sync = true;
        }
    }

    fn drop_waiting(&mut self) {
        if self.phase.is_running() {
            self.phase = Phase::Outside;
            self.database.gate.leave();
        }
        self.cancelling.is_waiting.store(false, Ordering::Release);
        match self.drop_message_at_hand() {
            None => {}
            Some(client_tag::QUERY) => reply::ready_for_query(TransactionStatus::Idle, self.outbox.buffer()),
            Some(_) => self.skips_to_sync = true,
        }
    }

    /// What the message is that could not be dealt with yet.
    pub(super) fn tag_at_hand(&self) -> Option<u8> {
        header(&self.carry).ok().flatten().map(|(tag, _)| tag)
    }

    /// Drops the message that could not be dealt with yet; returns its tag.
    pub(super) fn drop_message_at_hand(&mut self) -> Option<u8> {
        self.is_stalled = false;
        self.is_carry_fresh = true;
        let Ok(Some((tag, length))) = header(&self.carry) else { return None };
        let total = HEADER_BYTES + length;
        let used = total.min(self.carry.len());
        self.carry.drain(..used);
        if used < total {
            self.body = Body::Dropped(total - used);
        }
        Some(tag)
    }

    /// The last message to a client.
    pub(super) fn tell_fatal(&mut self, sqlstate: &'static str, text: &str) {
        reply::error(&refusal(Severity::Fatal, sqlstate, text), self.outbox.buffer());
    }
}
