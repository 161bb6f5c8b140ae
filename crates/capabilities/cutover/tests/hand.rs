//! A gate that keeps to its lease, and streams whose answers a test decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atalaya_cutover::{
    Armed, Charge, Direction, Following, LastProof, MarkerPassed, PartError, Proven, ReadyGate, ReplicationControl,
    SchemaDifference, Settled, TrafficGate, Unprovable, WayBack,
};
use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_route::{Decision, OpenEpoch, Routes};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// Where a gate leads.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Open(String),
    Closed(u64),
}

/// A gateway without clients, of some databases: it is closed for an epoch, closes that when its lease is over, and then lifts
/// the fence.
pub(crate) struct TestGate {
    name: &'static str,
    core: Arc<Core>,
    /// A request, and of which database; of any where it is none.
    refuses: Mutex<Option<(&'static str, Option<&'static str>)>>,
    is_ready: Mutex<BTreeSet<String>>,
    lifts_as: Mutex<Option<String>>,
    is_silent: AtomicBool,
}

struct Core {
    name: &'static str,
    routes: Routes,
    places: Vec<(String, ConnectionUrl)>,
    /// By the database whose route it is.
    leads: BTreeMap<String, watch::Sender<Place>>,
}

impl TestGate {
    /// Of these databases, whose clients are where their routes begin.
    pub(crate) fn new(
        name: &'static str,
        routes: Routes,
        places: Vec<(String, ConnectionUrl)>,
        databases: &[&str],
    ) -> Self {
        let at = |database: &&str| ((*database).to_owned(), watch::Sender::new(Place::Open((*database).to_owned())));
        let core = Core { name, routes, places, leads: databases.iter().map(at).collect() };
        Self {
            name,
            core: Arc::new(core),
            refuses: Mutex::new(None),
            is_ready: Mutex::default(),
            lifts_as: Mutex::default(),
            is_silent: AtomicBool::new(false),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// None while it is closed.
    pub(crate) fn leads_to(&self, database: &str) -> Option<String> {
        match &*self.core.leads[database].borrow() {
            Place::Open(place) => Some(place.clone()),
            Place::Closed(_) => None,
        }
    }

    pub(crate) async fn until_open(&self) {
        for place in self.core.leads.values() {
            let mut place = place.subscribe();
            let open = place.wait_for(|place| matches!(place, Place::Open(_)));
            tokio::time::timeout(Duration::from_secs(60), open).await.unwrap().unwrap();
        }
    }

    /// It says no to this request from here on.
    pub(crate) fn refuse(&self, what: &'static str) {
        *self.refuses.lock().unwrap() = Some((what, None));
    }

    /// The same of one database only.
    pub(crate) fn refuse_of(&self, what: &'static str, database: &'static str) {
        *self.refuses.lock().unwrap() = Some((what, Some(database)));
    }

    /// Whoever asks it to close gets no answer from here on.
    pub(crate) fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }

    /// As it does after a while.
    pub(crate) fn forget_ready(&self) {
        self.is_ready.lock().unwrap().clear();
    }

    /// Its estate file names another role.
    pub(crate) fn lift_as(&self, role: &str) {
        *self.lifts_as.lock().unwrap() = Some(role.to_owned());
    }

    fn refused(&self, what: &str, database: &str) -> Result<(), PartError> {
        match *self.refuses.lock().unwrap() {
            Some((refused, of)) if refused == what && of.is_none_or(|of| of == database) => {
                Err(PartError::new("the gateway is gone"))
            }
            _ => Ok(()),
        }
    }
}

impl Core {
    async fn follow(&self, epoch: &OpenEpoch, decision: Decision) {
        let leads = &self.leads[&epoch.database];
        if *leads.borrow() != Place::Closed(epoch.epoch) {
            return;
        }
        let to = match decision {
            Decision::Flipped { to, .. } => to,
            Decision::Closed { .. } => {
                let url = &self.places.iter().find(|(name, _)| *name == epoch.opening.from).unwrap().1;
                let session = Session::connect(url, "atalaya gateway").await.unwrap();
                for statement in &epoch.opening.lift {
                    session.batch(statement).await.unwrap();
                }
                epoch.opening.from.clone()
            }
        };
        leads.send_replace(Place::Open(to));
    }
}

impl TrafficGate for TestGate {
    fn address(&self) -> &str {
        self.name
    }

    fn ready<'a>(&'a self, database: &'a str, _to: &'a str) -> BoxFuture<'a, Result<Option<ReadyGate>, PartError>> {
        async move {
            self.refused("ready", database)?;
            if !self.core.leads.contains_key(database) {
                return Ok(None);
            }
            let last_epoch = self.core.routes.standing(database).await.unwrap().last_epoch;
            self.is_ready.lock().unwrap().insert(database.to_owned());
            let (gate, lifts_as) = (self.name.to_owned(), self.lifts_as.lock().unwrap().clone());
            Ok(Some(ReadyGate { gate, running: 0, pinned: 0, misled: 0, last_epoch, lifts_by: None, lifts_as }))
        }
        .boxed()
    }

    fn arm<'a>(
        &'a self,
        database: &'a str,
        epoch: u64,
        _drain_limit: Duration,
    ) -> BoxFuture<'a, Result<Armed, PartError>> {
        async move {
            self.refused("arm", database)?;
            if self.is_silent.load(Ordering::SeqCst) {
                return std::future::pending().await;
            }
            if !self.is_ready.lock().unwrap().remove(database) {
                return Err(PartError::new("the gate is not ready"));
            }
            let (epoch, decision) = self.core.routes.epoch(database, epoch).await.unwrap().unwrap();
            if decision.is_some() || !epoch.opening.gates.iter().any(|gate| gate == self.name) {
                return Err(PartError::new("the epoch is not open for this gate"));
            }
            self.core.leads[database].send_replace(Place::Closed(epoch.epoch));
            let core = Arc::clone(&self.core);
            tokio::spawn(async move {
                tokio::time::sleep(epoch.opening.lease).await;
                if *core.leads[&epoch.database].borrow() != Place::Closed(epoch.epoch) {
                    return;
                }
                let decision = core.routes.close(&epoch, core.name, "its lease is over").await.unwrap();
                core.follow(&epoch, decision).await;
            });
            Ok(Armed { drained: Duration::ZERO })
        }
        .boxed()
    }

    fn settle<'a>(&'a self, database: &'a str, epoch: u64) -> BoxFuture<'a, Result<Option<Settled>, PartError>> {
        async move {
            self.refused("settle", database)?;
            if !self.core.leads.contains_key(database) {
                return Ok(None);
            }
            let (epoch, decision) = self.core.routes.epoch(database, epoch).await.unwrap().unwrap();
            let decision = decision.ok_or_else(|| PartError::new("nothing is decided"))?;
            self.core.follow(&epoch, decision).await;
            Ok(Some(Settled {
                paused: Duration::ZERO,
                held: 0,
                ended: 0,
                misled: 0,
                failed: 0,
                longest_wait: Duration::ZERO,
            }))
        }
        .boxed()
    }
}

/// Streams that have applied everything, unless a test says otherwise.
#[derive(Default)]
pub(crate) struct Streams {
    pub(crate) foreign: u64,
    pub(crate) different: Vec<String>,
    pub(crate) fails: Option<&'static str>,
    /// What is never answered.
    pub(crate) hangs: Option<&'static str>,
    /// Why nothing runs, where that is so.
    pub(crate) stands: Option<&'static str>,
    pub(crate) lag_bytes: u64,
    pub(crate) way_back: Option<WayBack>,
    pub(crate) proof: Option<Option<LastProof>>,
    pub(crate) unproven: Vec<String>,
    /// Gates that do not stay ready while the other side comes close; that takes long only the first time.
    pub(crate) forgetful: Arc<Mutex<Vec<Arc<TestGate>>>>,
    pub(crate) unprovable: Vec<Unprovable>,
    pub(crate) schema: Vec<SchemaDifference>,
    pub(crate) fills_views: bool,
    /// Which sides were written down as those that serve.
    pub(crate) taken_over: Arc<Mutex<Vec<Direction>>>,
}

impl Streams {
    fn answer<T: Send + 'static>(&self, what: &'static str, answer: T) -> BoxFuture<'static, Result<T, PartError>> {
        if self.hangs == Some(what) {
            return std::future::pending().boxed();
        }
        let fails = self.fails == Some(what);
        let answer = if fails { Err(PartError::new(format!("no {what}"))) } else { Ok(answer) };
        std::future::ready(answer).boxed()
    }
}

impl ReplicationControl for Streams {
    fn following(&self, _direction: Direction) -> BoxFuture<'_, Result<Following, PartError>> {
        let clean = LastProof { age: Duration::from_secs(60), is_clean: true, what: "2 tables".to_owned() };
        let following = Following {
            runs: self.stands.map_or(Ok(()), |why| Err(why.to_owned())),
            lag_bytes: self.lag_bytes,
            way_back: self.way_back.clone().unwrap_or(WayBack::Stands),
            proof: self.proof.clone().unwrap_or(Some(clean)),
            unprovable: self.unprovable.clone(),
        };
        self.answer("following", following)
    }

    fn schema(&self, _direction: Direction) -> BoxFuture<'_, Result<Vec<SchemaDifference>, PartError>> {
        self.answer("schema", self.schema.clone())
    }

    fn fills_views(&self, _direction: Direction) -> BoxFuture<'_, Result<bool, PartError>> {
        self.answer("views", self.fills_views)
    }

    fn make_way_back(&self, _direction: Direction) -> BoxFuture<'_, Result<(), PartError>> {
        self.answer("way back", ())
    }

    fn take_charge(&self) -> BoxFuture<'_, Result<Charge, PartError>> {
        self.answer("charge", Charge::Taken)
    }

    fn come_close(&self, _direction: Direction, _limit: Duration) -> BoxFuture<'_, Result<(), PartError>> {
        let forgetful = std::mem::take(&mut *self.forgetful.lock().unwrap());
        forgetful.iter().for_each(|gate| gate.forget_ready());
        self.answer("coming close", ())
    }

    fn pass_marker(
        &self,
        _direction: Direction,
        fenced_at: Lsn,
        _limit: Duration,
    ) -> BoxFuture<'_, Result<MarkerPassed, PartError>> {
        self.answer("marker", MarkerPassed { marker: fenced_at, foreign: self.foreign })
    }

    fn prove(&self, _direction: Direction, _limit: Duration) -> BoxFuture<'_, Result<Proven, PartError>> {
        self.answer("proof", Proven { rows: 7, different: self.different.clone(), unproven: self.unproven.clone() })
    }

    fn carry_sequences(&self, _direction: Direction, _limit: Duration) -> BoxFuture<'_, Result<u64, PartError>> {
        self.answer("sequences", 3)
    }

    fn take_over(&self, direction: Direction) -> BoxFuture<'_, Result<(), PartError>> {
        self.taken_over.lock().unwrap().push(direction);
        self.answer("taking over", ())
    }
}
