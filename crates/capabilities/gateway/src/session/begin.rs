//! How a transaction begins: through the gate, with a server, under the client's settings.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use atalaya_pgwire::TransactionStatus;
use atalaya_pgwire::server::{Severity, reply, rewrite};

use super::{End, Phase, Session};
use crate::error::{ServerAbsence, as_the_server};
use crate::gate::GateTicket;
use crate::pool::ServerTicket;
use crate::server::{Expected, OwnStatement, Server};

/// What a session waits for.
pub(super) enum Wait {
    Gate { ticket: GateTicket, since: Instant },
    Server { ticket: ServerTicket, since: Instant },
}

/// Whether it can go on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    Ready,
    Later,
}

impl Session {
    /// Begins a transaction for the message at hand.
    pub(super) fn begin(&mut self, context: &mut Context<'_>) -> Result<Begun, End> {
        match self.database.gate.enter() {
            Ok(()) => self.begin_inside(context),
            Err(ticket) => {
                self.wait_for(context, Wait::Gate { ticket, since: Instant::now() });
                Ok(Begun::Later)
            }
        }
    }

    /// Counted in at the gate.
    fn begin_inside(&mut self, context: &mut Context<'_>) -> Result<Begun, End> {
        // By `resume` the place changes behind a closed gate only, by a reload at any time.
        if let Err(end) = self.follow_place() {
            self.database.gate.leave();
            return Err(end);
        }
        self.phase = Phase::Begun;
        self.began_at = Instant::now();
        if self.server.is_some() {
            return self.adopt_settings();
        }
        match self.pool.take(&self.settings) {
            Ok(server) => self.attach(server),
            Err(ticket) => {
                self.wait_for(context, Wait::Server { ticket, since: self.began_at });
                Ok(Begun::Later)
            }
        }
    }

    /// Takes a server and brings it to the client's settings.
    fn attach(&mut self, mut server: Box<Server>) -> Result<Begun, End> {
        // The database moved while the client waited.
        if server.place_epoch != self.place_epoch && self.is_misled() {
            self.pool.put(server);
            return Err(End::Moved);
        }
        *self.cancelling.server.lock() = Some(Arc::clone(&server.cancel));
        let is_others = std::mem::replace(&mut server.last_client, self.process_id) != self.process_id;
        if is_others && self.database.reads_sequences.load(Ordering::Relaxed) {
            rewrite::query(b"DISCARD SEQUENCES", server.outbox.buffer())?;
            server.unnamed = 0;
            server.expected.push_back(Expected::Own(OwnStatement::Tidy));
        }
        self.server = Some(server);
        self.adopt_settings()
    }

    /// Has the server's session set to what the client's is.
    fn adopt_settings(&mut self) -> Result<Begun, End> {
        let server = self.server.as_mut().ok_or(End::Server)?;
        if Arc::ptr_eq(&server.label, &self.settings) {
            self.tell_changes();
            return Ok(Begun::Ready);
        }
        match server.label.statement_to(&self.settings) {
            None => {
                server.label = Arc::clone(&self.settings);
                self.tell_changes();
                Ok(Begun::Ready)
            }
            Some(sql) => {
                rewrite::query(sql.as_bytes(), server.outbox.buffer())?;
                server.unnamed = 0;
                server.expected.push_back(Expected::Own(OwnStatement::Settings(Arc::clone(&self.settings))));
                self.is_stalled = true;
                Ok(Begun::Later)
            }
        }
    }

    /// Sets again what a RESET in the midst of a transaction has given up of the settings that the client began with: a
    /// server's session goes back to the server's own. Nothing but the one RESET is undone by it.
    pub(super) fn restore_startup(&mut self) -> Result<(), End> {
        let Some(server) = self.server.as_mut() else { return Ok(()) };
        if std::mem::take(&mut self.may_have_reset) && server.status == TransactionStatus::Open {
            rewrite::query(self.startup.statement_to_restore().as_bytes(), server.outbox.buffer())?;
            server.unnamed = 0;
            server.expected.push_back(Expected::Own(OwnStatement::Restore));
        }
        Ok(())
    }

    /// Tells a client whose database has moved what its new server reports otherwise.
    pub(super) fn tell_changes(&mut self) {
        if self.server.as_ref().is_some_and(|server| server.place_epoch != self.place_epoch) {
            self.tell_differences();
        }
    }

    /// The same where a setting has changed: a RESET outside a transaction has told the client of the server's own value.
    pub(super) fn tell_differences(&mut self) {
        let Some(server) = &self.server else { return };
        self.place_epoch = server.place_epoch;
        if server.reported == *self.reported {
            return;
        }
        for (name, value) in &server.reported {
            if self.reported.get(name) != Some(value) {
                reply::parameter_status(name, value, self.outbox.buffer());
            }
        }
        self.reported = Arc::new(server.reported.clone());
        self.reading = crate::reading::reading(&self.reported);
    }

    /// The wait is looked at in the session's next turn: the message that waits is not yet among those put back, and a
    /// refusal has to take it away.
    fn wait_for(&mut self, context: &mut Context<'_>, wait: Wait) {
        self.wait = Some(wait);
        // A request that came too late for the wait before is not for this one.
        self.cancelling.take_request();
        self.cancelling.is_waiting.store(true, Ordering::Release);
        context.waker().wake_by_ref();
    }

    /// Looks whether the wait is over. `true` when it is.
    pub(super) fn poll_wait(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        if self.wait.is_some() && self.cancelling.take_request() {
            self.wait = None;
            let text = "canceling statement due to user request";
            self.refuse_waiting(&as_the_server("ProcessInterrupts", "57014", text));
            return Ok(true);
        }
        let over = match &mut self.wait {
            None => return Ok(false),
            Some(Wait::Gate { ticket, since }) => match ticket.poll_called(context) {
                Poll::Pending => return Ok(false),
                Poll::Ready(called) => {
                    self.database.statistics.wait_time.add(since.elapsed());
                    called.map(|()| None)
                }
            },
            Some(Wait::Server { ticket, since }) => match ticket.poll_served(context) {
                Poll::Pending => return Ok(false),
                Poll::Ready(served) => {
                    self.database.statistics.wait_time.add(since.elapsed());
                    served.map(Some)
                }
            },
        };
        self.wait = None;
        self.is_carry_fresh = true;
        self.cancelling.is_waiting.store(false, Ordering::Release);
        match over {
            Ok(Some(server)) => {
                self.attach(server)?;
            }
            // The message is looked at again, and enters.
            Ok(None) => {}
            Err(absence) => self.refuse_absence(&absence),
        }
        Ok(true)
    }

    fn refuse_absence(&mut self, absence: &ServerAbsence) {
        self.database.statistics.refused_for_waiting.add(1);
        self.refuse_waiting(&absence.refusal(Severity::Error));
    }
}
