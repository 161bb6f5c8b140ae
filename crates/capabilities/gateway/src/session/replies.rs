//! What a server answers, message by message.

use std::sync::Arc;
use std::task::Context;

use atalaya_pgwire::server::{HEADER_BYTES, ParameterStatus, Refusal, error_field, header, reply};
use atalaya_pgwire::{TransactionStatus, note_reported, tag};

use super::description;
use super::run::Run;
use super::{End, Phase, Session};
use crate::prepared::Described;
use crate::server::{Audience, CopyIn, Expected, NamedParse, OwnStatement, ParsedAs};

/// No message that has to be read whole has more bytes: errors, descriptions of rows.
const WHOLE_BYTES_MAX: usize = 64 << 20;

/// Tags that only the client's side of this protocol knows by other names.
mod reply_tag {
    pub(super) const PARSE_COMPLETE: u8 = b'1';
    pub(super) const BIND_COMPLETE: u8 = b'2';
    pub(super) const CLOSE_COMPLETE: u8 = b'3';
    pub(super) const NO_DATA: u8 = b'n';
    pub(super) const PARAMETER_DESCRIPTION: u8 = b't';
    pub(super) const PORTAL_SUSPENDED: u8 = b's';
    pub(super) const COPY_DONE: u8 = b'c';
}

/// The end of the command that drops one prepared statement.
const DROP_ONE: &[u8] = b"DEALLOCATE\0";
/// The ends of the commands that drop all prepared statements.
const DROP_ALL: [&[u8]; 2] = [b"DEALLOCATE ALL\0", b"DISCARD ALL\0"];

/// What becomes of an answer.
enum Fate {
    Pass,
    Drop,
    Replace(Box<Refusal>),
}

impl Session {
    /// Deals with as many messages as are there; returns how many bytes they were.
    pub(super) fn take_replies(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Result<usize, End> {
        let mut run = Run::new(bytes);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let server = self.server.as_mut().ok_or(End::Server)?;
            if server.body_left > 0 {
                let used = rest.len().min(server.body_left);
                server.body_left -= used;
                run.pass(at, at + used);
                at += used;
                continue;
            }
            let Some((tag, length)) = header(rest).map_err(|_| End::Server)? else { break };
            let total = HEADER_BYTES + length;
            let is_own = matches!(server.expected.front(), Some(Expected::Own(_)));
            let is_ours = is_own || matches!(server.expected.front(), Some(Expected::Execute(Audience::Gateway)));
            // Rows of any size are passed on as they come.
            if matches!(tag, tag::DATA_ROW | tag::COPY_DATA | tag::NOTICE_RESPONSE) && !is_ours {
                let used = rest.len().min(total);
                server.body_left = total - used;
                run.pass(at, at + used);
                at += used;
                continue;
            }
            if length > WHOLE_BYTES_MAX {
                return Err(End::Server);
            }
            let Some(body) = rest.get(HEADER_BYTES..total) else { break };
            let fate = if is_own { self.own_answer(tag, body)? } else { self.answer(tag, body)? };
            match fate {
                Fate::Pass => run.pass(at, at + total),
                Fate::Drop => {}
                Fate::Replace(refusal) => reply::error(&refusal, run.other()),
            }
            at += total;
        }
        let out = run.finished();
        if !out.is_empty() {
            self.database.statistics.bytes_to_clients.add(out.len() as u64);
            self.outbox.write(context, &mut self.stream, out).map_err(End::Io)?;
        }
        Ok(at)
    }

    /// An answer to a client's request.
    fn answer(&mut self, tag: u8, body: &[u8]) -> Result<Fate, End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        match tag {
            tag::READY_FOR_QUERY => return self.ready(body),
            tag::ERROR_RESPONSE => {
                let is_last = matches!(error_field(body, b'V'), Some(b"FATAL" | b"PANIC"));
                if is_last && self.may_lose_server() {
                    // Its end follows at once.
                    return Err(End::Server);
                }
                let fate = self.failed(body);
                if is_last {
                    // Told of it, the client may be gone before the server is.
                    self.note_lost();
                    self.is_told |= matches!(fate, Fate::Pass);
                }
                return Ok(fate);
            }
            // Of ours: a client's are passed on before.
            tag::DATA_ROW | tag::NOTICE_RESPONSE => return Ok(Fate::Drop),
            tag::COMMAND_COMPLETE | tag::EMPTY_QUERY_RESPONSE | reply_tag::PORTAL_SUSPENDED => {
                server.copy_in = CopyIn::None;
                if let Some(Expected::Execute(audience)) = server.expected.front() {
                    let is_ours = *audience == Audience::Gateway;
                    server.expected.pop_front();
                    if is_ours {
                        return Ok(self.after(Fate::Drop));
                    }
                }
                if tag == tag::COMMAND_COMPLETE && DROP_ALL.contains(&body) {
                    self.all_prepared_dropped();
                } else if tag == tag::COMMAND_COMPLETE && body == DROP_ONE {
                    self.one_prepared_dropped();
                }
            }
            reply_tag::PARSE_COMPLETE => {
                let Some(Expected::Parse(step)) = server.expected.pop_front() else { return Err(End::Server) };
                return Ok(self.after(if step.audience == Audience::Client { Fate::Pass } else { Fate::Drop }));
            }
            reply_tag::BIND_COMPLETE => {
                let Some(Expected::Bind(audience)) = server.expected.pop_front() else { return Err(End::Server) };
                return Ok(self.after(if audience == Audience::Client { Fate::Pass } else { Fate::Drop }));
            }
            reply_tag::CLOSE_COMPLETE => {
                let Some(Expected::Close(own)) = server.expected.pop_front() else { return Err(End::Server) };
                return Ok(self.after(if own.is_none() { Fate::Pass } else { Fate::Drop }));
            }
            reply_tag::PARAMETER_DESCRIPTION => {
                let Some(Expected::DescribeStatement(step)) = server.expected.front_mut() else {
                    return Err(End::Server);
                };
                let described = description::of_parameters(body).map_err(|_| End::Server)?;
                step.digest = described.digest;
                let fate = if step.audience == Audience::Client { Fate::Pass } else { Fate::Drop };
                if described.has_user_types {
                    self.learn_types();
                }
                return Ok(fate);
            }
            tag::ROW_DESCRIPTION | reply_tag::NO_DATA => return self.described(tag, body),
            tag::COPY_IN_RESPONSE => {
                self.note_copy(body);
                self.copy_begins();
            }
            tag::COPY_OUT_RESPONSE => self.note_copy(body),
            tag::PARAMETER_STATUS => self.note_setting(body)?,
            tag::COPY_BOTH_RESPONSE | reply_tag::COPY_DONE | tag::NOTIFICATION_RESPONSE => {}
            _ => return Err(End::Server),
        }
        Ok(self.after(Fate::Pass))
    }

    /// Whoever waited for all answers goes on when the last one is there.
    fn after(&mut self, fate: Fate) -> Fate {
        if let Some(server) = self.server.as_mut() {
            // A client's end of copy data that no COPY waited for.
            while matches!(server.expected.front(), Some(Expected::CopyEnd)) {
                server.expected.pop_front();
            }
            if server.expected.is_empty() && self.is_stalled {
                self.is_stalled = false;
                self.is_bringing = false;
                self.is_carry_fresh = true;
            }
        }
        fate
    }

    fn ready(&mut self, body: &[u8]) -> Result<Fate, End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        match server.expected.pop_front() {
            Some(Expected::Query | Expected::Sync) => {}
            _ => return Err(End::Server),
        }
        server.status = status_of(body)?;
        server.copy_in = CopyIn::None;
        if server.expected.is_empty() {
            self.deallocating.clear();
            self.restore_startup()?;
        }
        let fate = self.after(Fate::Pass);
        let server = self.server.as_ref().ok_or(End::Server)?;
        if server.status == TransactionStatus::Idle && server.expected.is_empty() {
            self.phase = Phase::Over;
        }
        Ok(fate)
    }

    /// After an error a server answers nothing more up to the next Sync; a simple query still becomes ready.
    fn failed(&mut self, body: &[u8]) -> Fate {
        let Some(server) = self.server.as_mut() else { return Fate::Pass };
        server.copy_in = CopyIn::None;
        if matches!(server.expected.front(), None | Some(Expected::Query)) {
            return Fate::Pass;
        }
        let mut fate = Fate::Pass;
        let brings = std::mem::take(&mut self.is_bringing);
        let mut is_first = true;
        while let Some(expected) = server.expected.front() {
            if matches!(expected, Expected::Sync | Expected::Own(_)) {
                break;
            }
            match server.expected.pop_front() {
                Some(Expected::Parse(step)) => match step.parsed {
                    ParsedAs::Refused(refusal) if is_first => fate = Fate::Replace(refusal),
                    ParsedAs::Refused(_) | ParsedAs::Brought => {}
                    ParsedAs::Unnamed => {
                        server.unnamed = 0;
                        self.unnamed = None;
                    }
                    // Told once the server is ready again.
                    ParsedAs::Own => {
                        self.own_failure = Some(body.into());
                        fate = Fate::Drop;
                    }
                    ParsedAs::Named(parse) => {
                        server.names.forget(parse.prepared.id, &parse.name);
                        if parse.asked_by == Audience::Client {
                            self.statements.remove(&parse.client_name);
                        }
                        server.to_close.push(parse.name);
                    }
                },
                Some(Expected::Close(Some(name))) => server.to_close.push(name),
                _ => {}
            }
            is_first = false;
        }
        server.skips_to_sync = server.expected.is_empty();
        if brings {
            self.could_not_bring();
        }
        self.after(fate)
    }

    fn described(&mut self, tag: u8, body: &[u8]) -> Result<Fate, End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        let before = match server.expected.front() {
            Some(Expected::DescribeStatement(step)) => step.digest,
            _ => 0,
        };
        let mut digest = None;
        if tag == tag::ROW_DESCRIPTION {
            let described = description::of_columns(before, body).map_err(|_| End::Server)?;
            digest = Some(described.digest);
            if described.has_user_types {
                self.learn_types();
            }
        }
        let server = self.server.as_mut().ok_or(End::Server)?;
        match server.expected.front() {
            Some(Expected::DescribePortal) => {
                server.expected.pop_front();
                Ok(self.after(Fate::Pass))
            }
            Some(Expected::DescribeStatement(_)) => {
                let Some(Expected::DescribeStatement(step)) = server.expected.pop_front() else {
                    return Err(End::Server);
                };
                if let Some(parse) = step.check {
                    self.check_description(&parse, digest.unwrap_or_else(|| description::of_nothing(before)));
                }
                Ok(self.after(if step.audience == Audience::Client { Fate::Pass } else { Fate::Drop }))
            }
            // The description of a simple query's rows.
            _ => Ok(Fate::Pass),
        }
    }

    /// A description other than the one on record: the statement's tables were changed.
    fn check_description(&mut self, parse: &NamedParse, digest: u64) {
        if parse.prepared.describe(digest) == Described::Same {
            return;
        }
        let Some(server) = self.server.as_mut() else { return };
        server.names.forget(parse.prepared.id, &parse.name);
        let current = self.database.statements.replace(&parse.prepared, digest);
        let closed = server.names.note(current.id, current.bytes(), parse.name.clone());
        server.to_close.extend(closed);
        let current = (parse.asked_by == Audience::Client).then_some(current);
        self.statements.replace(&parse.client_name, parse.prepared.id, current);
    }

    /// No message names the types of what is copied, and in binary the header of each array and row does.
    fn note_copy(&mut self, body: &[u8]) {
        if description::is_binary_copy(body) {
            self.learn_types();
        }
    }

    /// In copy mode a server reads over Flush and Sync; what was sent of those already is answered by nobody.
    fn copy_begins(&mut self) {
        let Some(server) = self.server.as_mut() else { return };
        server.copy_in = CopyIn::Open;
        while let Some(Expected::Sync | Expected::CopyEnd) = server.expected.get(1) {
            if let Some(Expected::CopyEnd) = server.expected.remove(1) {
                server.copy_in = CopyIn::Sent;
                return;
            }
        }
    }

    fn note_setting(&mut self, body: &[u8]) -> Result<(), End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        server.note_reported(body).map_err(|_| End::Server)?;
        let status = ParameterStatus::decode(body).map_err(|_| End::Server)?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let reported = Arc::make_mut(&mut self.reported);
        note_reported(reported, text(status.name), text(status.value)).map_err(|_| End::Server)?;
        self.reading = crate::reading::reading(&self.reported);
        Ok(())
    }

    /// An answer to a statement of the gateway's own.
    fn own_answer(&mut self, tag: u8, body: &[u8]) -> Result<Fate, End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        match tag {
            tag::DATA_ROW => {
                let asks = |own: &OwnStatement| matches!(own, OwnStatement::Probe(_) | OwnStatement::SetLimitAside);
                if matches!(server.expected.front(), Some(Expected::Own(own)) if asks(own)) {
                    self.leavings.read_row(body).map_err(|_| End::Server)?;
                }
            }
            tag::ERROR_RESPONSE => self.own_failure = Some(body.into()),
            tag::PARAMETER_STATUS => {
                // The client was told of the RESET, too.
                if matches!(server.expected.front(), Some(Expected::Own(OwnStatement::Restore))) {
                    self.note_setting(body)?;
                    return Ok(Fate::Pass);
                }
                server.note_reported(body).map_err(|_| End::Server)?;
            }
            // Whoever listens may be told at any time.
            tag::NOTIFICATION_RESPONSE => return Ok(Fate::Pass),
            tag::READY_FOR_QUERY => {
                let Some(Expected::Own(own)) = server.expected.pop_front() else { return Err(End::Server) };
                server.status = status_of(body)?;
                let failure = self.own_failure.take();
                self.own_done(own, failure)?;
                return Ok(self.after(Fate::Drop));
            }
            _ => {}
        }
        Ok(Fate::Drop)
    }
}

fn status_of(body: &[u8]) -> Result<TransactionStatus, End> {
    match body {
        b"I" => Ok(TransactionStatus::Idle),
        b"T" => Ok(TransactionStatus::Open),
        b"E" => Ok(TransactionStatus::Failed),
        _ => Err(End::Server),
    }
}
