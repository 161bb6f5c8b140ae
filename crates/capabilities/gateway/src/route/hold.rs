//! What a gateway knows of a route, and the gates that it holds closed for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_route::{Led, OpenEpoch, Standing};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::fence::Fence;
use crate::admin::{HeldFor, Refused, Settled};
use crate::database::{Database, NextPlace};
use crate::gate::GateEpoch;

/// See the module. Named after the database that the estate file leads to.
pub(crate) struct Route {
    pub(crate) database: String,
    state: Mutex<State>,
    /// Told whenever gates were opened.
    opened: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// How far the route's stream was seen.
    seen: u64,
    led: Option<Led>,
    pub(super) hold: Option<Hold>,
    pub(super) ready: Option<Ready>,
    /// What was answered to the decision of the newest epoch that gates were held for.
    pub(super) settled: Option<(u64, Settled)>,
}

/// Gates that are closed.
pub(super) struct Hold {
    pub(super) why: Why,
    pub(super) gates: Vec<HeldGate>,
    pub(super) since: Instant,
    pub(super) ready: Option<Ready>,
}

/// What closed gates wait for.
pub(super) enum Why {
    /// Where the route leads is not known yet.
    Unread,
    /// It is not decided.
    Epoch(Arc<OpenEpoch>),
}

pub(super) struct HeldGate {
    pub(super) database: Arc<Database>,
    pub(super) closed: GateEpoch,
    /// How many clients had lost the server that they were tied to before.
    pub(super) lost_before: usize,
    /// How many requests had been refused for waiting too long.
    pub(super) refused_before: u64,
}

impl HeldGate {
    fn new(database: &Arc<Database>, closed: GateEpoch) -> Self {
        Self {
            database: Arc::clone(database),
            closed,
            lost_before: database.kept.tied().lost,
            refused_before: database.statistics.refused_for_waiting.get(),
        }
    }
}

/// What was made ready for another place.
pub(super) struct Ready {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) fence: Arc<Fence>,
    /// The same at the place that clients are to be led to, which an earlier epoch may have fenced.
    pub(super) there: Arc<Fence>,
    /// By the gateway's name of the database.
    pub(super) places: BTreeMap<String, NextPlace>,
    pub(super) made_at: Instant,
}

/// What was made ready is given up after so long.
const READY_MAX: Duration = Duration::from_secs(600);

impl Route {
    pub(crate) fn new(database: String) -> Self {
        Self { database, state: Mutex::default(), opened: Notify::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Where the journal leads clients, as far as it was read.
    pub(crate) fn led(&self) -> Option<Led> {
        self.state.lock().led.clone()
    }

    /// Takes what the journal said; an older answer than one before counts for nothing.
    pub(crate) fn note(&self, standing: &Standing) {
        self.state.lock().note(standing);
    }

    /// Whether its gates are closed, for an epoch or since where it leads is not known.
    pub(crate) fn is_held(&self) -> bool {
        self.state.lock().hold.is_some()
    }

    /// Whether where it leads is not known yet.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(&self.state.lock().hold, Some(Hold { why: Why::Unread, .. }))
    }

    /// The epoch that its gates are closed for.
    pub(crate) fn held_epoch(&self) -> Option<Arc<OpenEpoch>> {
        self.state.lock().held_epoch().cloned()
    }

    /// What its gates wait for, as it is told.
    pub(crate) fn held_for(&self) -> Option<HeldFor> {
        Some(match &self.state.lock().hold.as_ref()?.why {
            Why::Unread => HeldFor::Route,
            Why::Epoch(epoch) => HeldFor::Epoch { epoch: epoch.epoch },
        })
    }

    /// Over when no gate is closed for the epoch any more.
    pub(super) async fn over(&self, number: u64) {
        loop {
            let mut opened = std::pin::pin!(self.opened.notified());
            opened.as_mut().enable();
            if self.held_epoch().is_none_or(|held| held.epoch != number) {
                return;
            }
            opened.await;
        }
    }

    /// Over when where it leads is known.
    pub(super) async fn known(&self) {
        loop {
            let mut opened = std::pin::pin!(self.opened.notified());
            opened.as_mut().enable();
            if !self.is_unread() {
                return;
            }
            opened.await;
        }
    }

    pub(super) fn tell_opened(&self) {
        self.opened.notify_waiters();
    }

    /// Keeps a database shut until its route is read. `closed` is the gate's epoch where it is closed for another route.
    pub(crate) fn hold_unread(&self, database: &Arc<Database>, closed: Option<GateEpoch>) {
        let Some(closed) = closed.or_else(|| database.gate.close()) else { return };
        let hold = || Hold { why: Why::Unread, gates: Vec::new(), since: Instant::now(), ready: None };
        let held = HeldGate::new(database, closed);
        self.state.lock().hold.get_or_insert_with(hold).gates.push(held);
    }

    /// Leaves a gate to somebody else, who opens it.
    pub(crate) fn give_up(&self, database: &Arc<Database>) -> Option<GateEpoch> {
        let mut state = self.state.lock();
        let gates = &mut state.hold.as_mut()?.gates;
        let place = gates.iter().position(|held| Arc::ptr_eq(&held.database, database))?;
        Some(gates.swap_remove(place).closed)
    }

    /// What was made ready counts for nothing any more.
    pub(crate) fn forget_ready(&self) {
        let forgotten = self.state.lock().ready.take();
        drop(forgotten);
    }

    /// Lets go of what was made ready long ago.
    pub(crate) fn tidy(&self) {
        let mut state = self.state.lock();
        let old = state.ready.take_if(|ready| ready.made_at.elapsed() > READY_MAX);
        drop(state);
        drop(old);
    }
}

impl State {
    /// Whether the answer is no older than what was seen before.
    pub(super) fn note(&mut self, standing: &Standing) -> bool {
        let version = standing.last_epoch.saturating_mul(2).saturating_sub(u64::from(standing.open.is_some()));
        if version < self.seen {
            return false;
        }
        self.seen = version;
        self.led.clone_from(&standing.leads_to);
        true
    }

    /// Takes a decision that leads elsewhere.
    pub(super) fn lead(&mut self, led: Led) {
        self.note_decided(led.epoch);
        self.led = Some(led);
    }

    /// Somebody knows that an epoch is decided: no gate closes for it, or for an earlier one, any more.
    pub(super) fn note_decided(&mut self, epoch: u64) {
        self.seen = self.seen.max(epoch.saturating_mul(2));
    }

    /// Whether an epoch is known to be decided.
    pub(super) fn is_decided(&self, epoch: u64) -> bool {
        self.seen >= epoch.saturating_mul(2)
    }

    /// The epoch that gates are held for.
    pub(super) fn held_epoch(&self) -> Option<&Arc<OpenEpoch>> {
        match &self.hold {
            Some(Hold { why: Why::Epoch(epoch), .. }) => Some(epoch),
            _ => None,
        }
    }

    /// Closes the gates for an epoch, all of them or none.
    pub(super) fn hold(&mut self, epoch: &Arc<OpenEpoch>, databases: &[Arc<Database>]) -> Result<(), Refused> {
        let mut gates: Vec<HeldGate> = Vec::with_capacity(databases.len());
        for database in databases {
            match database.gate.close() {
                Some(closed) => gates.push(HeldGate::new(database, closed)),
                None => {
                    for held in &gates {
                        held.database.gate.open(held.closed);
                    }
                    let epoch = database.gate.closed().map_or(0, |(epoch, _)| epoch);
                    return Err(Refused::Paused { epoch });
                }
            }
        }
        gates.iter().for_each(|held| held.database.gate.end_servers(held.closed));
        let why = Why::Epoch(Arc::clone(epoch));
        self.hold = Some(Hold { why, gates, since: Instant::now(), ready: self.ready.take() });
        Ok(())
    }
}
