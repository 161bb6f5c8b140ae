//! A client's prepared statements under the client's own names, brought to the server that is to see such a name in a text.

use atalaya_pgwire::TransactionStatus;
use atalaya_pgwire::server::{client_tag, rewrite};
use atalaya_sql::{PreparedAction, SessionEffects};

use super::begin::Begun;
use super::run::Run;
use super::statements::ClientStatement;
use super::{End, Phase, Session};
use crate::server::{Audience, Expected, OwnStatement, ParseStep, ParsedAs, Server};

/// What the server gets under a client's own name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    Itself,
    /// Something to be deallocated at once, since the tables of the statement itself may be gone. Executing it fails.
    StandIn,
}

impl Session {
    /// Statements that SQL will call by the client's own names: EXECUTE, DEALLOCATE. It is done before such a text is parsed
    /// too: what EXECUTE gives is described by what it executes.
    pub(super) fn bring_named(&mut self, effects: &SessionEffects, run: &mut Run<'_>) -> Result<Begun, End> {
        for used in &effects.prepared {
            let brought = match used.action {
                PreparedAction::DeallocateAll => continue,
                PreparedAction::Deallocate if effects.statements == 1 && self.is_outside() && !self.keeps_server() => {
                    Brought::StandIn
                }
                PreparedAction::Prepare | PreparedAction::Execute | PreparedAction::Deallocate => Brought::Itself,
            };
            if self.bring_one(&used.name, brought, run)? == Begun::Later {
                return Ok(Begun::Later);
            }
        }
        Ok(Begun::Ready)
    }

    /// Whether no transaction is under way, not even one of a pipeline.
    fn is_outside(&self) -> bool {
        let is_idle = |server: &Server| server.expected.is_empty() && server.status == TransactionStatus::Idle;
        self.phase == Phase::Begun && self.server.as_deref().is_some_and(is_idle)
    }

    /// Makes sure that the server has a statement of the client under the client's own name.
    pub(super) fn bring_one(&mut self, name: &str, brought: Brought, run: &mut Run<'_>) -> Result<Begun, End> {
        let Some(statement) = self.statements.get(name.as_bytes()).cloned() else { return Ok(Begun::Ready) };
        let is_outside = self.is_outside();
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        if server.own_named.iter().any(|known| known == name.as_bytes()) {
            return Ok(Begun::Ready);
        }
        // Nothing may be in front of it that could fail and take it along.
        if !server.expected.is_empty() {
            self.is_stalled = true;
            rewrite::flush(run.other());
            return Ok(Begun::Later);
        }
        if !is_outside {
            self.bring_inside(name, &statement, run)?;
            return Ok(Begun::Later);
        }
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        match statement {
            _ if brought == Brought::StandIn => {
                rewrite::query(stand_in(name).as_bytes(), run.other())?;
                server.unnamed = 0;
                server.expected.push_back(Expected::Own(OwnStatement::Prepare));
            }
            ClientStatement::Protocol { prepared, .. } => {
                rewrite::parse(name.as_bytes(), &prepared.sql, &prepared.types, run.other())?;
                let step = ParseStep { audience: Audience::Gateway, parsed: ParsedAs::Own };
                server.expected.push_back(Expected::Parse(step));
                // Not Flush: after an error a server reads over everything but this.
                rewrite::sync(run.other());
                server.expected.push_back(Expected::Own(OwnStatement::Prepare));
            }
            ClientStatement::Sql(text) => {
                rewrite::query(text.as_bytes(), run.other())?;
                server.unnamed = 0;
                server.expected.push_back(Expected::Own(OwnStatement::Prepare));
            }
        }
        self.note_brought(name);
        Ok(Begun::Later)
    }

    /// Within a transaction of the client's: neither a Sync of ours nor a simple query may end it, nor the unnamed
    /// statement or portal be taken away.
    fn bring_inside(&mut self, name: &str, statement: &ClientStatement, run: &mut Run<'_>) -> Result<(), End> {
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        let expected = &mut server.expected;
        let mut parsed = || {
            let step = ParseStep { audience: Audience::Gateway, parsed: ParsedAs::Brought };
            expected.push_back(Expected::Parse(step));
        };
        match statement {
            ClientStatement::Protocol { prepared, .. } => {
                rewrite::parse(name.as_bytes(), &prepared.sql, &prepared.types, run.other())?;
                parsed();
            }
            ClientStatement::Sql(text) => {
                let preparing = server.names.fresh();
                rewrite::parse(preparing.as_bytes(), text.as_bytes(), &NO_TYPES, run.other())?;
                parsed();
                // The portal ends with the transaction.
                rewrite::bind(preparing.as_bytes(), preparing.as_bytes(), run.other())?;
                expected.push_back(Expected::Bind(Audience::Gateway));
                rewrite::execute(preparing.as_bytes(), run.other())?;
                expected.push_back(Expected::Execute(Audience::Gateway));
                rewrite::close_statement(preparing.as_bytes(), run.other())?;
                expected.push_back(Expected::Close(Some(preparing)));
            }
        }
        rewrite::flush(run.other());
        self.is_bringing = true;
        self.note_brought(name);
        Ok(())
    }

    fn note_brought(&mut self, name: &str) {
        if let Some(server) = self.server.as_mut() {
            server.own_named.push(name.as_bytes().to_vec());
        }
        self.left.note_prepared();
        self.is_stalled = true;
    }

    /// The server could not be brought a statement in the midst of the client's transaction, which has failed with that. It
    /// reads over all up to a Sync; a simple query, which has none, gets one of ours, since it is answered by itself.
    pub(super) fn could_not_bring(&mut self) {
        let is_query = self.tag_at_hand() == Some(client_tag::QUERY);
        if is_query {
            self.drop_message_at_hand();
        }
        let Some(server) = self.server.as_mut() else { return };
        server.own_named.pop();
        if is_query {
            rewrite::sync(server.outbox.buffer());
            server.expected.push_back(Expected::Sync);
            server.skips_to_sync = false;
        }
    }
}

/// No parameter's type is told.
const NO_TYPES: [u8; 2] = [0; 2];

pub(super) fn stand_in(name: &str) -> String {
    format!("PREPARE {} AS SELECT 1 / 0", identifier(name.as_bytes()))
}

/// The statement that takes away one that was prepared under a client's own name.
pub(super) fn deallocate(name: &[u8]) -> String {
    format!("DEALLOCATE {}", identifier(name))
}

fn identifier(name: &[u8]) -> String {
    format!("\"{}\"", String::from_utf8_lossy(name).replace('"', "\"\""))
}
