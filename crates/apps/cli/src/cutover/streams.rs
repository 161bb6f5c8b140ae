//! The streams of a migration in both directions, and the proof between both sides.

mod close;
mod near;
mod preflight;

use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_cutover::{
    Charge, Direction, Following, MarkerPassed, PartError, Proven, ReplicationControl, SchemaDifference,
};
use atalaya_data::Lsn;
use atalaya_postgres::Session;
use atalaya_replicate::{Leading, NotesAnswer, Plan, Side, Status, WayBackStatus};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use self::near::{Carrying, Near};
use crate::endpoints::Endpoints;
use crate::global::Output;

/// Between two looks at how far a stream is, while nobody waits.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run may take to take up a way back that was made.
const TAKEN_UP: Duration = Duration::from_secs(60);
/// For how long a comparison of every row counts.
const FULL_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// See the module.
pub(crate) struct Streams {
    endpoints: Endpoints,
    plan: Plan,
    output: Output,
    near: Mutex<Option<Near>>,
    carrying: Mutex<Option<Carrying>>,
    charge: Mutex<Option<Arc<Leading>>>,
}

fn failed(error: &dyn std::error::Error, hint: Option<String>) -> PartError {
    PartError { text: atalaya_data::chain(error), hint }
}

fn of_replicate(error: atalaya_replicate::Error) -> PartError {
    failed(&error, error.hint())
}

fn of_validate(error: atalaya_validate::Error) -> PartError {
    failed(&error, error.hint())
}

fn of_postgres(error: atalaya_postgres::Error) -> PartError {
    failed(&error, error.hint())
}

fn unprepared() -> PartError {
    PartError::new("it was not prepared")
}

impl Streams {
    /// Of a migration, whose plan is that of its way there.
    pub(crate) fn new(endpoints: Endpoints, plan: Plan, output: Output) -> Self {
        Self { endpoints, plan, output, near: Mutex::new(None), carrying: Mutex::new(None), charge: Mutex::new(None) }
    }

    /// What the side says that applies changes of a direction.
    async fn status(&self, direction: Direction) -> Result<Status, PartError> {
        let Endpoints { source, target, name, .. } = &self.endpoints;
        let status = match direction {
            Direction::Forward => atalaya_replicate::status(source, target, name).await,
            Direction::Back => atalaya_replicate::status(target, source, name).await,
        };
        status.map_err(of_replicate)?.ok_or_else(|| PartError {
            text: format!("there is no migration `{name}` in this direction"),
            hint: Some("see `atalaya migrate status` and `atalaya migrate way-back status`".to_owned()),
        })
    }

    async fn way_back(&self) -> Result<WayBackStatus, PartError> {
        atalaya_replicate::way_back_status(&self.plan).await.map_err(of_replicate)
    }

    /// The plan of a proof in a direction.
    fn proof(&self, direction: Direction, scope: fn(String) -> atalaya_validate::Scope) -> atalaya_validate::Plan {
        let Endpoints { source, target, name, .. } = &self.endpoints;
        let (from, to) = match direction {
            Direction::Forward => (source, target),
            Direction::Back => (target, source),
        };
        let mut plan = atalaya_validate::Plan::new(from.clone(), to.clone(), scope(name.to_string()));
        plan.method = atalaya_validate::Method::Touched { full_age_max: FULL_AGE_MAX };
        // A fence is a slot, too, and waits for the same transactions.
        plan.fence_limit = self.plan.options.slot_timeout;
        plan
    }

    async fn make_way_back(&self, direction: Direction) -> Result<(), PartError> {
        if direction == Direction::Back {
            return Ok(());
        }
        // Clients that are led over find what the old server has: foreign keys, triggers, row security.
        atalaya_replicate::ready_target(&self.plan).await.map_err(of_replicate)?;
        atalaya_replicate::make_way_back(&self.plan).await.map_err(of_replicate)?;
        let until = Instant::now() + TAKEN_UP;
        while !self.way_back().await?.running {
            if Instant::now() >= until {
                return Err(PartError {
                    text: "no run takes the way back up".to_owned(),
                    hint: Some("see what `atalaya migrate start` says of it".to_owned()),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.note_what_comes_back(until).await?;
        // Last, so that they hold as much as can be.
        atalaya_replicate::fill_views(&self.plan).await.map_err(of_replicate)
    }

    /// Has the way back note the keys that it writes, and returns once it does: whoever has made it, and whenever its run
    /// has begun.
    async fn note_what_comes_back(&self, until: Instant) -> Result<(), PartError> {
        let back = self.proof(Direction::Back, |name| atalaya_validate::Scope::Migration { name });
        atalaya_validate::note_from_now_on(&back).await.map_err(of_validate)?;
        let session = Session::connect_for_control(&self.endpoints.source, "atalaya cutover").await;
        let mut session = session.map_err(of_postgres)?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = atalaya_replicate::renew_notes(&mut session, self.endpoints.name.as_str(), left).await;
            match answer.map_err(of_postgres)? {
                NotesAnswer::Noted => return Ok(()),
                NotesAnswer::Unanswered(why) if Instant::now() >= until => {
                    return Err(PartError {
                        text: format!("the way back does not note what it writes: {why}"),
                        hint: Some("see what `atalaya migrate start` says of it".to_owned()),
                    });
                }
                // The run has just begun.
                NotesAnswer::Unanswered(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn take_charge(&self) -> Result<Charge, PartError> {
        let mut charge = self.charge.lock().await;
        let (leading, stood) = match charge.take() {
            Some(leading) => {
                let stands = leading.stands().await;
                (leading, stands.map_err(of_replicate))
            }
            None => match Leading::take(&self.plan).await {
                Ok(leading) => (Arc::new(leading), Ok(())),
                Err(error) if error.is_refusal() => return Ok(Charge::Occupied(of_replicate(error))),
                Err(error) => return Err(of_replicate(error)),
            },
        };
        // What was lost is taken anew only by whoever is asked for it anew.
        stood?;
        *charge = Some(leading);
        Ok(Charge::Taken)
    }

    /// The connections of whoever is in charge.
    async fn in_charge(&self) -> Result<Arc<Leading>, PartError> {
        self.charge.lock().await.clone().ok_or_else(unprepared)
    }

    async fn take_over(&self, direction: Direction) -> Result<(), PartError> {
        let (serving, opposite, left) = match direction {
            Direction::Forward => (Side::Target, Direction::Back, Side::Source),
            Direction::Back => (Side::Source, Direction::Forward, Side::Target),
        };
        let leading = self.in_charge().await?;
        leading.serve(self.plan.name.as_str(), serving).await.map_err(of_replicate)?;
        // Whoever has lost the lead says nothing of what others have led there since.
        let writing = leading.session(left);
        let plan = self.proof(opposite, |name| atalaya_validate::Scope::Migration { name });
        // What was compared in that direction was, before clients wrote to the side that it applies to.
        atalaya_validate::forget_proven(&plan, writing).await.map_err(of_validate)?;
        let proven = self.near.lock().await.take().and_then(|near| near.proven_at());
        if let Some((at, since)) = proven {
            // What comes back from here on is proven against what was found equal then.
            atalaya_validate::take_for_proven(&plan, writing, at, since.elapsed()).await.map_err(of_validate)?;
        }
        Ok(())
    }

    async fn with_near<T>(&self, work: impl AsyncFnOnce(&mut Near) -> Result<T, PartError>) -> Result<T, PartError> {
        let mut near = self.near.lock().await;
        match near.as_mut() {
            Some(near) => work(near).await,
            None => Err(unprepared()),
        }
    }
}

impl ReplicationControl for Streams {
    fn following(&self, direction: Direction) -> BoxFuture<'_, Result<Following, PartError>> {
        self.following(direction).boxed()
    }

    fn schema(&self, _direction: Direction) -> BoxFuture<'_, Result<Vec<SchemaDifference>, PartError>> {
        self.schema().boxed()
    }

    fn fills_views(&self, direction: Direction) -> BoxFuture<'_, Result<bool, PartError>> {
        async move {
            let is_forward = direction == Direction::Forward;
            Ok(is_forward && atalaya_replicate::fills_views(&self.plan).await.map_err(of_replicate)?)
        }
        .boxed()
    }

    fn make_way_back(&self, direction: Direction) -> BoxFuture<'_, Result<(), PartError>> {
        self.make_way_back(direction).boxed()
    }

    fn take_charge(&self) -> BoxFuture<'_, Result<Charge, PartError>> {
        self.take_charge().boxed()
    }

    fn come_close(&self, direction: Direction, limit: Duration) -> BoxFuture<'_, Result<(), PartError>> {
        self.come_close(direction, limit).boxed()
    }

    fn stay_close(&self, direction: Direction, limit: Duration) -> BoxFuture<'_, Result<(), PartError>> {
        self.stay_close(direction, limit).boxed()
    }

    fn pass_marker(
        &self,
        _direction: Direction,
        fenced_at: Lsn,
        limit: Duration,
    ) -> BoxFuture<'_, Result<MarkerPassed, PartError>> {
        let name = self.endpoints.name.as_str();
        self.with_near(async move |near| near.pass_marker(name, fenced_at, limit).await).boxed()
    }

    fn recheck(&self, _direction: Direction, fenced_at: Lsn, limit: Duration) -> BoxFuture<'_, Result<u64, PartError>> {
        let name = self.endpoints.name.as_str();
        self.with_near(async move |near| near.recheck(name, fenced_at, limit).await).boxed()
    }

    fn prove(&self, _direction: Direction, limit: Duration) -> BoxFuture<'_, Result<Proven, PartError>> {
        self.with_near(async move |near| near.prove(limit).await).boxed()
    }

    fn carry_sequences(&self, _direction: Direction, limit: Duration) -> BoxFuture<'_, Result<u64, PartError>> {
        async move {
            match self.carrying.lock().await.as_mut() {
                Some(carrying) => carrying.carry(limit).await,
                None => Err(unprepared()),
            }
        }
        .boxed()
    }

    fn take_over(&self, direction: Direction) -> BoxFuture<'_, Result<(), PartError>> {
        self.take_over(direction).boxed()
    }
}
