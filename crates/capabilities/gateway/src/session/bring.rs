//! A client's prepared statements under the client's own names, brought to the server that is to see such a name in a text.

use atalaya_pgwire::TransactionStatus;
use atalaya_pgwire::server::rewrite;
use atalaya_sql::{PreparedAction, SessionEffects};

use super::begin::Begun;
use super::prepared::{ClientStatement, FLUSH};
use super::run::Run;
use super::{End, Session};
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
        !self.has_asked && self.server.as_deref().is_some_and(is_idle)
    }

    /// Makes sure that the server has a statement of the client under the client's own name.
    pub(super) fn bring_one(&mut self, name: &str, brought: Brought, run: &mut Run<'_>) -> Result<Begun, End> {
        let Some(statement) = self.statements.get(name.as_bytes()).cloned() else { return Ok(Begun::Ready) };
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        if server.own_named.iter().any(|known| known == name.as_bytes()) {
            return Ok(Begun::Ready);
        }
        // Nothing may be in front of it that could fail and take it along.
        if !server.expected.is_empty() {
            self.is_stalled = true;
            run.other().extend_from_slice(&FLUSH);
            return Ok(Begun::Later);
        }
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
        server.own_named.push(name.as_bytes().to_vec());
        self.left.note_prepared();
        self.is_stalled = true;
        Ok(Begun::Later)
    }
}

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
