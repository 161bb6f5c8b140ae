//! How a transaction ends, and what happens before another client has its server.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Context;

use atalaya_estate::{Pooling, SessionCheck};
use atalaya_pgwire::server::{error_field, rewrite};
use atalaya_sql::{PreparedAction, PreparedUse, Reading, session_effects};

use super::bring::{deallocate, stand_in};
use super::pins::Pin;
use super::probe::{Leavings, Left};
use super::statements::ClientStatement;
use super::{End, Phase, Session};
use crate::pool::UserTypes;
use crate::server::{Expected, OwnStatement, Probing};
use crate::settings::Settings;

/// The limit is told first: what is asked next finds none.
const SET_LIMIT_ASIDE: &str = "BEGIN; SELECT 'l', NULL, pg_catalog.current_setting('statement_timeout'); \
     SET LOCAL statement_timeout = 0";
/// When this one is cut short, too, something else is wrong.
const LAST: Probing = Probing::Again(5);

impl Session {
    /// The server is idle and owes no answer: the transaction is over.
    pub(super) fn end_transaction(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        self.database.statistics.transactions.add(1);
        self.database.statistics.transaction_time.add(self.began_at.elapsed());
        // The question would drop the unnamed statement; it is asked once that has given way to another.
        if !self.pins.has(Pin::LargeStatement) {
            // Whatever its texts say, functions may hide behind them.
            if self.database.session_check() == SessionCheck::Always {
                self.left.add_unknown();
            }
            if !self.left.is_plain() {
                return self.probe(context);
            }
        }
        self.leave();
        Ok(())
    }

    /// Asks the server what is left of the transaction.
    fn probe(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        self.database.statistics.probes.add(1);
        self.phase = Phase::Tidying;
        let names = self.settings.custom_names().map(str::to_owned).collect();
        let sql = self.left.question(names);
        // The client's statement is over: a request to cancel it must not meet the question.
        *self.cancelling.server.lock() = None;
        let server = self.server.as_mut().ok_or(End::Server)?;
        rewrite::query(sql.as_bytes(), server.outbox.buffer())?;
        server.unnamed = 0;
        server.expected.push_back(Expected::Own(OwnStatement::Probe(Probing::First)));
        self.leavings = Leavings::default();
        self.is_stalled = true;
        self.flush_server(context)
    }

    /// Asks once more: a request to cancel came late, or the client's limit on a statement's time was too short. The limit is
    /// put aside for the question, in a transaction of ours.
    fn probe_again(&mut self, before: Probing) -> Result<(), End> {
        let again = match before {
            Probing::First => 1,
            Probing::Again(times) => times + 1,
        };
        let names = self.settings.custom_names().map(str::to_owned).collect();
        let question = self.left.question(names);
        self.leavings = Leavings::default();
        let server = self.server.as_mut().ok_or(End::Server)?;
        let asked = [
            (SET_LIMIT_ASIDE, OwnStatement::SetLimitAside),
            (&question, OwnStatement::Probe(Probing::Again(again))),
            ("ROLLBACK", OwnStatement::Tidy),
        ];
        for (sql, own) in asked {
            rewrite::query(sql.as_bytes(), server.outbox.buffer())?;
            server.expected.push_back(Expected::Own(own));
        }
        Ok(())
    }

    /// A statement of ours has come to its end.
    pub(super) fn own_done(&mut self, own: OwnStatement, failure: Option<Box<[u8]>>) -> Result<(), End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        match (own, failure) {
            (OwnStatement::Settings(settings), None) => {
                server.label = settings;
                self.tell_differences();
            }
            (OwnStatement::Settings(_), Some(body)) => {
                server.is_spoilt = true;
                if !self.pins.is_empty() {
                    // An advisory lock, a temporary table: who relies on it has to know that it is gone.
                    return Err(End::Lost);
                }
                let is_own_fault = *server.label == Settings::default();
                let is_elsewhere = server.place_epoch != self.place_epoch;
                self.let_go();
                if is_own_fault && is_elsewhere {
                    // The server that it has been led to does not take what the former one took: an error to each of its
                    // requests would not tell it to begin anew.
                    return Err(End::Moved);
                }
                if is_own_fault {
                    self.refuse_waiting_in_words_of_server(&body);
                } else {
                    self.begin_again();
                }
            }
            (OwnStatement::Probe(_), None) => self.probed()?,
            (OwnStatement::Probe(probing), Some(body)) if is_cut_short(&body) && probing != LAST => {
                self.probe_again(probing)?;
            }
            // What was left is not known, and nothing of it may be lost: the client keeps the server.
            (OwnStatement::Probe(_), Some(_)) => {
                self.pins.set(Pin::Unseen);
                self.left = Left::default();
            }
            // Then the question that follows fails, too.
            (OwnStatement::SetLimitAside, _) => {}
            (OwnStatement::Tidy, Some(_)) => server.is_spoilt = true,
            (OwnStatement::Tidy, None) => {}
            (OwnStatement::Prepare, None) => {}
            // One that is not valid any more has failed the transaction; what is set is asked at its end.
            (OwnStatement::Restore, _) => {}
            // What the statement stands on is gone: trying again would never end.
            (OwnStatement::Prepare, Some(body)) => {
                server.own_named.pop();
                self.refuse_in_words_of_server(&body);
            }
        }
        Ok(())
    }

    /// Once all that the server has said is dealt with or kept: what came behind its last answer is lost with it otherwise.
    pub(super) fn leave_if_tidied(&mut self) {
        if self.phase == Phase::Tidying && self.server.as_ref().is_some_and(|server| server.expected.is_empty()) {
            self.leave();
        }
    }

    /// What the client before had set, a short limit for one, kept this one from its settings: another server.
    fn begin_again(&mut self) {
        self.phase = Phase::Outside;
        self.is_stalled = false;
        self.is_carry_fresh = true;
        self.database.gate.leave();
    }

    /// Takes over what the probe found: the client's settings, its ties, its prepared statements.
    fn probed(&mut self) -> Result<(), End> {
        let left = std::mem::take(&mut self.left);
        let leavings = std::mem::take(&mut self.leavings);
        let user = self.pool.server_user();
        let mut label = Arc::clone(&self.settings);
        if left.looked_at_settings() {
            let found = leavings.settings(&user);
            // What was reset goes back to what the session began with.
            let wanted = self.startup.overlaid(&found);
            if wanted != *self.settings {
                self.settings = Arc::new(wanted);
            }
            // What was not read is there and stays there, so that the server is at what its client wants, whatever that is.
            if !leavings.is_incomplete() && found != *self.settings {
                label = Arc::new(found);
            } else {
                label = Arc::clone(&self.settings);
            }
        }
        let before = self.pins;
        if left.looked_at_objects() {
            self.pins.found(leavings.pins());
        }
        // Settings that were not read stand at this server alone.
        if left.binds_unseen() || leavings.is_incomplete() {
            self.pins.set(Pin::Unseen);
        }
        if before.is_empty() && !self.pins.is_empty() {
            self.database.statistics.pins.add(1);
        }
        self.take_over_prepared(&left, &leavings);
        let is_kept = self.keeps_server();
        let server = self.server.as_mut().ok_or(End::Server)?;
        if leavings.own_prepared().is_some_and(|count| count != server.names.len() + server.to_close.len()) {
            // Somebody dropped some of them unseen; which, is not worth asking.
            server.names.clear();
            server.to_close.clear();
            server.is_spoilt = true;
        }
        // More than is carried: whoever has the server next must not have them.
        server.is_spoilt |= leavings.is_incomplete();
        server.label = label;
        if is_kept {
            return Ok(());
        }
        let mut tidying: Vec<String> = server.own_named.drain(..).map(|name| deallocate(&name)).collect();
        if left.is_unknown() {
            // A setting that nobody declared and nobody named is seen by no query.
            tidying.push("RESET ALL".to_owned());
            let mut roles = Settings::default();
            for name in ["role", "session_authorization"] {
                if let Some(value) = server.label.get(name) {
                    roles.set(name, value.to_owned());
                }
            }
            server.label = Arc::new(roles);
        }
        if !tidying.is_empty() {
            rewrite::query(tidying.join(";").as_bytes(), server.outbox.buffer())?;
            server.unnamed = 0;
            server.expected.push_back(Expected::Own(OwnStatement::Tidy));
        }
        Ok(())
    }

    /// The server has dropped the gateway's statements with the client's.
    pub(super) fn all_prepared_dropped(&mut self) {
        self.statements.clear();
        if let Some(server) = self.server.as_mut() {
            server.names.clear();
            server.own_named.clear();
            server.to_close.clear();
        }
    }

    /// The server has dropped the one whose turn it was.
    pub(super) fn one_prepared_dropped(&mut self) {
        let Some(name) = self.deallocating.pop_front() else { return };
        self.statements.remove(name.as_bytes());
        if let Some(server) = self.server.as_mut() {
            server.own_named.retain(|known| known != name.as_bytes());
        }
    }

    fn take_over_prepared(&mut self, left: &Left, leavings: &Leavings) {
        if !left.looked_at_prepared() {
            return;
        }
        let reading = self.reading;
        let Some(server) = self.server.as_mut() else { return };
        if leavings.has_more_prepared() {
            // Those that were not read stand at this server alone.
            self.pins.set(Pin::Unseen);
        }
        let mut was_there: HashSet<Vec<u8>> = std::mem::take(&mut server.own_named).into_iter().collect();
        for (name, text) in leavings.prepared() {
            // One that Parse made has no text here, and is known.
            if !text.is_empty() && text != stand_in(name) {
                // The server keeps the whole text that came with it, of which nothing else may ever be run again. A name
                // that was given away and taken again in between stands for the later text.
                match statement_of(text, name, reading) {
                    Some(text) if self.statements.has_room(name.len() + text.len()) => {
                        self.statements.insert(name.as_bytes(), ClientStatement::Sql(text.into()));
                    }
                    _ => self.pins.set(Pin::Unseen),
                }
            }
            was_there.remove(name.as_bytes());
            server.own_named.push(name.as_bytes().to_vec());
        }
        if leavings.has_more_prepared() {
            server.own_named.extend(was_there);
            return;
        }
        // What was there and is no more was deallocated by the client.
        for name in was_there {
            self.statements.remove(name.as_slice());
        }
    }

    /// Whether the client keeps its server between transactions.
    pub(super) fn keeps_server(&self) -> bool {
        !self.pins.is_empty() || self.database.pooling() == Pooling::Session
    }

    /// Leaves the gate, and the server unless it is kept.
    fn leave(&mut self) {
        self.phase = Phase::Outside;
        self.is_stalled = false;
        self.is_carry_fresh = !self.carry.is_empty();
        if self.keeps_server() {
            *self.cancelling.server.lock() = self.server.as_ref().map(|server| Arc::clone(&server.cancel));
            self.note_kept();
        } else {
            self.let_go();
        }
        // Last: when a gate counts nobody any more, servers are back in their pools.
        self.database.gate.leave();
    }

    /// Others can see who keeps a server, and why.
    fn note_kept(&mut self) {
        let noted = Some(self.pins);
        if self.noted_pins == noted {
            return;
        }
        self.noted_pins = noted;
        if let Some(server) = &self.server {
            let because = self.pins.names();
            self.database.kept.note(self.process_id, server.cancel.process_id(), because);
        }
    }

    /// Between transactions: what becomes of a session when its database has moved.
    pub(super) fn follow_place(&mut self) -> Result<(), End> {
        let place_epoch = self.pool.place_epoch();
        if self.phase.is_running() || self.place_epoch == place_epoch {
            return Ok(());
        }
        if self.pool.is_closed() {
            return Err(End::Moved);
        }
        let is_bound = self.server.is_some() && !self.pins.is_empty();
        if is_bound || self.is_misled() {
            return Err(End::Moved);
        }
        // Pooled by session, with nothing that another server cannot be given.
        self.let_go();
        Ok(())
    }

    /// Whether the client believes of types' numbers what was true at the former place only.
    pub(super) fn is_misled(&self) -> bool {
        self.knows_user_types && self.pool.user_types() == UserTypes::Renumbered
    }

    /// The client has seen, or may have seen, a type's number.
    pub(super) fn learn_types(&mut self) {
        if !std::mem::replace(&mut self.knows_user_types, true) {
            self.database.knowing_types.note(self.process_id);
        }
    }

    /// Whether nothing is lost with the server: nothing runs there, nothing of the client's is at that server alone, and the
    /// client is led to another one, or its gate is closed and whoever closed it may end every session of the server.
    pub(super) fn may_lose_server(&self) -> bool {
        let is_led = || self.database.gate.closed().is_some() || self.place_epoch != self.pool.place_epoch();
        self.server.is_some() && !self.phase.is_running() && self.pins.is_empty() && is_led()
    }

    /// The server's session is over, and with it this one if it is tied to it.
    pub(super) fn note_lost(&self) {
        // In this order it is counted once, whoever counts meanwhile.
        self.database.knowing_types.forget(self.process_id);
        self.database.kept.lose(self.process_id);
    }

    /// The server has ended its session, which nothing is lost by.
    pub(super) fn lose_server(&mut self) {
        if let Some(server) = self.server.as_mut() {
            server.is_spoilt = true;
        }
        self.let_go();
    }

    /// Gives the server back.
    pub(super) fn let_go(&mut self) {
        if self.noted_pins.take().is_some() {
            self.database.kept.forget(self.process_id);
        }
        *self.cancelling.server.lock() = None;
        if let Some(server) = self.server.take() {
            match self.database.gate.ends_servers() {
                true => self.pool.end(server),
                false => self.pool.put(server),
            }
        }
    }
}

/// Whether a statement was ended before its time, by a limit or a request.
fn is_cut_short(error: &[u8]) -> bool {
    // In a transaction that has failed, it was the one before.
    matches!(error_field(error, b'C'), Some(b"57014" | b"25P02"))
}

/// The statement alone that prepares a name, out of the text that it came in.
fn statement_of<'a>(text: &'a str, name: &str, reading: Reading) -> Option<&'a str> {
    let effects = session_effects(text.as_bytes(), reading);
    let prepares = |used: &&PreparedUse| used.action == PreparedAction::Prepare && used.name == name;
    text.get(effects.prepared.iter().find(prepares)?.text.clone())
}
