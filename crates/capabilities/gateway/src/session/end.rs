//! How a transaction ends, and what happens before another client has its server.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use atalaya_estate::{Pooling, SessionCheck};
use atalaya_pgwire::TransactionStatus;
use atalaya_pgwire::server::rewrite;
use atalaya_sql::{PreparedAction, PreparedUse, Reading, session_effects};
use tokio::time::timeout;

use super::bring::{deallocate, stand_in};
use super::pins::Pin;
use super::prepared::{ClientStatement, STATEMENTS_MAX};
use super::probe::{Leavings, Left};
use super::{End, Session};
use crate::pool::UserTypes;
use crate::server::{Expected, OwnStatement, Server};
use crate::settings::{SETTINGS_MAX, Settings};

/// Cleaning up after a client that left.
const CLEANING: Duration = Duration::from_secs(10);
/// A statement that nobody waits for any more is told to stop so often, and so long it may take each time.
const STOPS_MAX: u32 = 5;
const STOPPING: Duration = Duration::from_secs(1);

impl Session {
    /// The server is idle and owes no answer: the transaction is over.
    pub(super) fn end_transaction(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        self.is_at_boundary = false;
        self.database.statistics.transactions.add(1);
        self.database.statistics.transaction_time.add(self.began_at.elapsed());
        if self.needs_probe() {
            return self.probe(context);
        }
        self.leave();
        Ok(())
    }

    fn needs_probe(&self) -> bool {
        // The question would drop the unnamed statement; it is asked once that has given way to another.
        if self.pins.has(Pin::LargeStatement) {
            return false;
        }
        !self.left.is_plain() || self.database.session_check() == SessionCheck::Always
    }

    /// Asks the server what is left of the transaction.
    fn probe(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        self.database.statistics.probes.add(1);
        let names = self.settings.custom_names().map(str::to_owned).collect();
        let sql = self.left.question(names);
        // The client's statement is over: a request to cancel it must not meet the question.
        *self.cancelling.server.lock() = None;
        let server = self.server.as_mut().ok_or(End::Server)?;
        rewrite::query(sql.as_bytes(), server.outbox.buffer())?;
        server.unnamed = 0;
        server.expected.push_back(Expected::Own(OwnStatement::Probe));
        self.leavings = Leavings::default();
        self.is_stalled = true;
        self.flush_server(context)
    }

    /// A statement of ours has come to its end.
    pub(super) fn own_done(&mut self, own: OwnStatement, failure: Option<Box<[u8]>>) -> Result<(), End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        match (own, failure) {
            (OwnStatement::Settings(settings), None) => {
                server.label = settings;
                self.tell_changes();
            }
            (OwnStatement::Settings(_), Some(body)) => {
                server.is_spoilt = true;
                if !self.pins.is_empty() {
                    // An advisory lock, a temporary table: who relies on it has to know that it is gone.
                    return Err(End::Lost);
                }
                let is_own_fault = *server.label == Settings::default();
                self.let_go();
                if is_own_fault {
                    self.refuse_waiting_in_words_of_server(&body);
                } else {
                    self.begin_again();
                }
            }
            (OwnStatement::Probe, None) => self.probed()?,
            // What was left is not known (a request to cancel came late, a limit of the client's own was too short), and
            // nothing of it may be lost: the client keeps the server.
            (OwnStatement::Probe, Some(_)) => {
                self.pins.set(Pin::Unseen);
                self.left = Left::default();
                self.is_tidying = true;
            }
            (OwnStatement::Tidy, Some(_)) => server.is_spoilt = true,
            (OwnStatement::Tidy, None) => {}
            (OwnStatement::Prepare, None) => {}
            // What the statement stands on is gone: trying again would never end.
            (OwnStatement::Prepare, Some(body)) => {
                server.own_named.pop();
                self.refuse_in_words_of_server(&body);
            }
        }
        if self.is_ending() {
            self.leave();
        }
        Ok(())
    }

    /// What the client before had set, a short limit for one, kept this one from its settings: another server.
    fn begin_again(&mut self) {
        self.is_running = false;
        self.is_stalled = false;
        self.is_carry_fresh = true;
        self.database.gate.leave();
    }

    /// Whether what ends is the look at a transaction's leavings.
    fn is_ending(&self) -> bool {
        self.is_tidying && self.server.as_ref().is_some_and(|server| server.expected.is_empty())
    }

    /// Takes over what the probe found: the client's settings, its ties, its prepared statements.
    fn probed(&mut self) -> Result<(), End> {
        self.is_tidying = true;
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
            label = if found == *self.settings { Arc::clone(&self.settings) } else { Arc::new(found) };
        }
        let before = self.pins;
        if left.looked_at_objects() {
            self.pins.found(leavings.pins());
        }
        if left.binds_unseen() {
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
        server.is_spoilt |= leavings.is_incomplete() || label.len() > SETTINGS_MAX;
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

    fn take_over_prepared(&mut self, left: &Left, leavings: &Leavings) {
        if !left.looked_at_prepared() {
            return;
        }
        let reading = self.reading();
        let Some(server) = self.server.as_mut() else { return };
        let mut was_there: HashSet<Vec<u8>> = std::mem::take(&mut server.own_named).into_iter().collect();
        for (name, text) in leavings.prepared() {
            // One that Parse made has no text here, and is known.
            if !text.is_empty() && text != stand_in(name) {
                // The server keeps the whole text that came with it, of which nothing else may ever be run again. A name
                // that was given away and taken again in between stands for the later text.
                match statement_of(text, name, reading) {
                    Some(text) if self.statements.len() < STATEMENTS_MAX => {
                        self.statements.insert(name.as_bytes().into(), ClientStatement::Sql(text.into()));
                    }
                    _ => self.pins.set(Pin::Unseen),
                }
            }
            was_there.remove(name.as_bytes());
            server.own_named.push(name.as_bytes().to_vec());
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
        self.is_tidying = false;
        self.is_running = false;
        self.is_stalled = false;
        self.is_carry_fresh = !self.carry.is_empty();
        self.database.gate.leave();
        if self.keeps_server() {
            *self.cancelling.server.lock() = self.server.as_ref().map(|server| Arc::clone(&server.cancel));
            self.note_kept();
        } else {
            self.let_go();
        }
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
        if self.is_running || self.place_epoch == place_epoch {
            return Ok(());
        }
        if self.pool.is_closed() {
            return Err(End::Moved);
        }
        let is_bound = self.server.is_some() && !self.pins.is_empty();
        let is_misled = self.knows_user_types && self.pool.user_types() == UserTypes::Renumbered;
        if is_bound || is_misled {
            return Err(End::Moved);
        }
        // Pooled by session, with nothing that another server cannot be given.
        self.let_go();
        Ok(())
    }

    /// Gives the server back.
    pub(super) fn let_go(&mut self) {
        if self.noted_pins.take().is_some() {
            self.database.kept.forget(self.process_id);
        }
        *self.cancelling.server.lock() = None;
        if let Some(server) = self.server.take() {
            self.pool.put(server);
        }
    }

    /// A server does not notice that nobody waits for its answer; without a word it would go on with it beside the one
    /// that takes its place, and `servers_max` would bound nothing.
    fn stop_and_discard(&self, server: Box<Server>) {
        if server.expected.is_empty() || self.has_said_goodbye {
            return self.pool.discard(server);
        }
        let pool = Arc::clone(&self.pool);
        tokio::spawn(async move {
            let mut server = server;
            for _ in 0..STOPS_MAX {
                let _sent = timeout(CLEANING, server.cancel.begin().send()).await;
                // A request that comes before the statement does is read over; so its end is waited for.
                if timeout(STOPPING, server.run("")).await.is_ok() {
                    break;
                }
            }
            pool.discard(server);
        });
    }

    /// The client is gone. What it was in the middle of ends with its server's session.
    pub(super) fn abandon_server(&mut self) {
        if self.is_running {
            self.is_running = false;
            self.database.gate.leave();
            *self.cancelling.server.lock() = None;
            if let Some(server) = self.server.take() {
                self.stop_and_discard(server);
            }
            return;
        }
        *self.cancelling.server.lock() = None;
        let Some(mut server) = self.server.take() else { return };
        if server.status != TransactionStatus::Idle || self.pins.has(Pin::Unseen) || !server.expected.is_empty() {
            return self.pool.discard(server);
        }
        let pool = Arc::clone(&self.pool);
        tokio::spawn(async move {
            match timeout(CLEANING, server.run("DISCARD ALL")).await {
                Ok(Ok(())) => {
                    server.names.clear();
                    server.own_named.clear();
                    server.to_close.clear();
                    server.unnamed = 0;
                    server.label = Arc::default();
                    pool.put(server);
                }
                _ => pool.discard(server),
            }
        });
    }
}

/// The statement alone that prepares a name, out of the text that it came in.
fn statement_of<'a>(text: &'a str, name: &str, reading: Reading) -> Option<&'a str> {
    let effects = session_effects(text.as_bytes(), reading);
    let prepares = |used: &&PreparedUse| used.action == PreparedAction::Prepare && used.name == name;
    text.get(effects.prepared.iter().find(prepares)?.text.clone())
}
