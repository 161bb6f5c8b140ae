//! Meeting requests between two transactions of the source.

use atalaya_control::FenceState;
use atalaya_data::{Lsn, chain};
use atalaya_postgres::fence_slot::{FenceSlot, Lifetime};
use tokio::time::Instant;

use super::requests::Kind;
use crate::Error;
use crate::follow::{Ended, Follower};
use crate::progress::Store;

impl Follower<'_> {
    /// Meets what can be met now. Only between transactions; otherwise the next beginning sees to it.
    pub(crate) async fn meet_requests(&mut self) -> Result<Option<Ended>, Error> {
        if self.arriving.is_some() || self.requests.open.is_empty() {
            return Ok(None);
        }
        let reached = self.reached();
        let due = self.requests.open.iter().any(|request| match (request.kind, request.state) {
            (Kind::Stop | Kind::Marker, _) | (_, FenceState::Placed) => request.lsn.is_some_and(|lsn| lsn <= reached),
            (_, FenceState::Requested) => true,
            _ => false,
        });
        if !due {
            return Ok(None);
        }
        self.end_group().await?;
        match self.meet_fence(None).await {
            Err(Error::TablesPending) => return Ok(Some(Ended::TablesPending)),
            met => met?,
        }
        let reached = self.reached();
        if self.requests.are_stops_met(reached) { self.stop_run(reached).await } else { Ok(None) }
    }

    /// Ends the run as asked; none when every request was taken back at the last moment.
    async fn stop_run(&mut self, reached: Lsn) -> Result<Option<Ended>, Error> {
        self.store_idle().await?;
        crate::sequences::follow(self.opened.plan, self.opened.source, self.opened.target).await?;
        Ok(self.requests.release_stops(reached).await?.then_some(Ended::Stopped))
    }

    /// Holds for requests that want it, and for fences that are reached: everything before `next` is applied.
    pub(crate) async fn meet_fence(&mut self, next: Option<Lsn>) -> Result<(), Error> {
        // Whoever asked may have taken it back, and does not wait for an answer then.
        self.requests.refresh().await?;
        let reached = next.unwrap_or_else(|| self.reached());
        let due: Vec<(i64, Kind, FenceState)> = self
            .requests
            .open
            .iter()
            .filter(|request| match request.state {
                FenceState::Requested if request.kind == Kind::Marker => request.lsn.is_some_and(|lsn| lsn <= reached),
                FenceState::Requested => request.kind != Kind::Stop,
                FenceState::Placed => request.lsn.is_some_and(|lsn| lsn <= reached),
                _ => false,
            })
            .map(|request| (request.id, request.kind, request.state))
            .collect();
        for (id, kind, state) in due {
            match (kind, state) {
                (Kind::Fence, FenceState::Requested) => {
                    self.hold(id, FenceState::Requested, FenceState::Holding).await?
                }
                (Kind::Fence, _) => {
                    self.hold(id, FenceState::Placed, FenceState::Reached).await?;
                    // Whoever took a snapshot here proves what came before it, and nothing later.
                    self.applier.renew_notes().await?;
                }
                (Kind::Repair, FenceState::Requested) => self.place_repair(id).await?,
                (Kind::Repair, _) => self.repair(id).await?,
                (Kind::Add, _) => self.meet_addition(id).await?,
                (Kind::Marker, _) => self.pass_marker(id).await?,
                (Kind::Notes, _) => self.renew_notes(id).await?,
                (Kind::Stop, _) => {}
            }
        }
        // A stop that lies before the next transaction ends the run at the loop's next turn; until then
        // nothing more may be applied.
        if let Some(next) = next
            && self.requests.are_stops_met(next)
            && self.stop_run(next).await?.is_some()
        {
            return Err(Error::StopReached);
        }
        Ok(())
    }

    /// Says that everything up to a marker is applied, and how many others have committed since the position before it.
    async fn pass_marker(&mut self, id: i64) -> Result<(), Error> {
        let asked = self.requests.open.iter().find(|request| request.id == id);
        let Some((from, to)) = asked.and_then(|request| request.fenced_at.zip(request.lsn)) else { return Ok(()) };
        match self.foreign.between(from, to) {
            Some(foreign) => self.requests.answer(id, FenceState::Released, &foreign.to_string()).await,
            None => {
                let outcome = "the run began anew after that position, or too much was written since";
                self.requests.answer(id, FenceState::Expired, outcome).await
            }
        }
    }

    /// Notes the keys of what is written from here on, of every table that the requester has named by now.
    async fn renew_notes(&mut self, id: i64) -> Result<(), Error> {
        self.applier.renew_notes().await?;
        self.requests.answer(id, FenceState::Released, "noted").await
    }

    /// Ends following for the copy of what was added; once that is done, so is the request.
    async fn meet_addition(&mut self, id: i64) -> Result<(), Error> {
        let store = Store { session: self.opened.target, name: &self.opened.plan.name };
        if store.read_tables().await?.iter().any(|table| !table.done) {
            return Err(Error::TablesPending);
        }
        self.requests.close(id, FenceState::Released, "copied").await
    }

    /// Applies nothing until the requester has gone a step on, or its lease has ended.
    async fn hold(&mut self, id: i64, from: FenceState, held: FenceState) -> Result<(), Error> {
        if !self.requests.set_state(id, from, held).await? {
            return self.requests.woken_within(std::time::Duration::ZERO).await.map(|_| ());
        }
        let lease = self.requests.open.iter().find(|request| request.id == id).map(|request| request.lease);
        let deadline = Instant::now() + lease.unwrap_or_default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            self.requests.woken_within(left).await?;
            if self.requests.state(id) != held {
                return Ok(());
            }
            if Instant::now() >= deadline {
                // Only if it is still so: a release at the last moment counts.
                if self.requests.set_state(id, held, FenceState::Expired).await? {
                    self.requests.open.retain(|request| request.id != id);
                }
                return Ok(());
            }
        }
    }

    /// Makes the repair's own fence: nothing is applied meanwhile, so that it cannot be passed.
    async fn place_repair(&mut self, id: i64) -> Result<(), Error> {
        let plan = self.opened.plan;
        let slot = FenceSlot::open(&plan.source, Lifetime::Temporary, plan.options.slot_timeout).await;
        let slot = match slot {
            Ok(slot) => slot,
            Err(error) => {
                let outcome = format!("no fence could be made on the source: {}", chain(&error));
                return self.requests.close(id, FenceState::Expired, &outcome).await;
            }
        };
        // An idle source sends nothing of itself past the fence for a while.
        self.opened.source.query("SELECT pg_catalog.pg_logical_emit_message(true, 'atalaya', 'fence')", &[]).await?;
        if let Some(request) = self.requests.open.iter_mut().find(|request| request.id == id) {
            request.lsn = Some(slot.consistent_point());
            request.slot = Some(slot);
        }
        self.requests.place(id).await
    }
}
