//! A gate that is made of commands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use atalaya_route::{Decision, Opening, Routes};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::options::{COMMANDS, HOLDING_COMMANDS};
use super::run::run;
use crate::course::Course;
use crate::gate::{Armed, GateKind, Holding, PartError, ReadyGate, Settled, TrafficGate};
use crate::report::{CommandKind, CommandReport};

/// What an operator has given to lead clients by. Each is run by `sh -c`, and may be run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// Leads clients to where the journal says that they belong: run behind the decision.
    pub switch: String,
    /// Holds clients: run before anybody is kept out. Returns once no transaction runs.
    pub hold: Option<String>,
    /// Lets clients go on where they are: run when the epoch was closed.
    pub release: Option<String>,
    /// How long leading clients, or letting them go on, may take. Holding them may take half of the longest pause.
    pub limit: Duration,
}

/// A gate that is made of commands. It has no lease: see the module.
pub struct CommandGate {
    routes: Routes,
    course: Course,
    commands: Commands,
    ran: Mutex<Vec<CommandReport>>,
    armed_at: Mutex<Option<Instant>>,
    is_armed: AtomicBool,
    was_armed: AtomicBool,
}

impl CommandGate {
    /// For a course, whose decision is read in these routes.
    #[must_use]
    pub fn new(routes: Routes, course: Course, commands: Commands) -> Self {
        let (ran, armed_at) = (Mutex::default(), Mutex::default());
        let (is_armed, was_armed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { routes, course, commands, ran, armed_at, is_armed, was_armed }
    }

    /// Whether clients may be held or kept out now: whoever ends this process then leaves them so.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.is_armed.load(Ordering::SeqCst)
    }

    /// Whether it ever was so in this process: what is left behind that is short, and is told.
    #[must_use]
    pub fn was_armed(&self) -> bool {
        self.was_armed.load(Ordering::SeqCst)
    }

    fn note_armed(&self) {
        self.is_armed.store(true, Ordering::SeqCst);
        self.was_armed.store(true, Ordering::SeqCst);
    }

    /// Each database of several has commands of its own.
    fn leads(&self, database: &str) -> bool {
        self.course.database == database
    }

    async fn do_run(
        &self,
        kind: CommandKind,
        command: &str,
        opening: (&str, &str),
        epoch: u64,
        limit: Duration,
    ) -> Result<(), PartError> {
        let (from, to) = opening;
        let variables = [
            ("ATALAYA_STEP", kind.as_str().to_owned()),
            ("ATALAYA_MIGRATION", self.course.migration.clone()),
            ("ATALAYA_FROM", from.to_owned()),
            ("ATALAYA_TO", to.to_owned()),
            ("ATALAYA_DIRECTION", self.course.direction.as_str().to_owned()),
            ("ATALAYA_EPOCH", epoch.to_string()),
        ];
        tracing::info!(step = kind.as_str(), epoch, "runs the operator's command");
        let report = run(kind, command, &variables, limit).await;
        let failure = report.failure.clone();
        self.note(report);
        match failure {
            None => Ok(()),
            Some(why) => Err(failed(kind, &why)),
        }
    }

    fn note(&self, report: CommandReport) {
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    async fn follow(&self, database: &str, epoch: u64) -> Result<(), PartError> {
        let found = self.routes.epoch(database, epoch).await;
        let (Opening { from, to, gates, .. }, decision) = match found {
            Ok(Some((open, Some(decision)))) => (open.opening, decision),
            Ok(_) => return Err(self.unread("the journal does not say what was decided")),
            Err(error) => return Err(self.unread(&atalaya_data::chain(&error))),
        };
        let standing = match self.routes.standing(database).await {
            Ok(standing) => standing,
            Err(error) => return Err(self.unread(&atalaya_data::chain(&error))),
        };
        let is_so_still = match &decision {
            Decision::Flipped { .. } => {
                standing.open.is_none() && standing.leads_to.is_some_and(|led| led.epoch == epoch)
            }
            Decision::Closed { .. } => standing.last_epoch == epoch,
        };
        if !is_so_still {
            tracing::warn!(epoch, last_epoch = standing.last_epoch, "runs no command: others lead clients by now");
            return Ok(());
        }
        // Never a lower one than a command was told before: also one of an epoch that was closed since.
        let epoch = standing.last_epoch;
        let (limit, places) = (self.commands.limit, (from.as_str(), to.as_str()));
        match (&decision, &self.commands.release) {
            // One of another course is led on right away, by the commands of that one.
            (Decision::Flipped { to, .. }, _) if *to != self.course.to => Ok(()),
            (Decision::Flipped { .. }, _) => {
                self.do_run(CommandKind::Switch, &self.commands.switch, places, epoch, limit).await
            }
            (Decision::Closed { .. }, Some(release)) => {
                self.do_run(CommandKind::Release, release, places, epoch, limit).await
            }
            (Decision::Closed { .. }, None) if gates.iter().any(|gate| gate == HOLDING_COMMANDS) => {
                let why = "it was not given, and clients were held by --hold-command".to_owned();
                tracing::warn!(epoch, "nobody lets clients go on: {why}");
                self.not_run(CommandKind::Release, &why);
                Err(failed(CommandKind::Release, &why))
            }
            (Decision::Closed { .. }, None) => Ok(()),
        }
    }

    /// What was to be run is not known, so nothing was.
    fn unread(&self, why: &str) -> PartError {
        self.not_run(CommandKind::Switch, &format!("it was not run: {why}"));
        PartError::new(why)
    }

    fn not_run(&self, command: CommandKind, why: &str) {
        let (failure, output) = (Some(why.to_owned()), String::new());
        self.note(CommandReport { command, took_us: 0, exit_code: None, failure, output });
    }
}

fn failed(kind: CommandKind, why: &str) -> PartError {
    PartError {
        text: format!("the command of --{}-command: {why}", kind.as_str()),
        hint: Some("its own words stand above; put it right, and run the same command again".to_owned()),
    }
}

impl TrafficGate for CommandGate {
    fn address(&self) -> &str {
        COMMANDS
    }

    fn kind(&self) -> GateKind {
        GateKind::Commands(if self.commands.hold.is_some() { Holding::Command } else { Holding::Nobody })
    }

    fn ran(&self, database: &str) -> Vec<CommandReport> {
        match self.leads(database) {
            true => self.ran.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            false => Vec::new(),
        }
    }

    fn ready<'a>(&'a self, database: &'a str, _to: &'a str) -> BoxFuture<'a, Result<Option<ReadyGate>, PartError>> {
        async move {
            if !self.leads(database) {
                return Ok(None);
            }
            let standing = self.routes.standing(database).await;
            let standing = standing.map_err(|error| PartError::new(atalaya_data::chain(&error)))?;
            let name = if self.commands.hold.is_some() { HOLDING_COMMANDS } else { COMMANDS };
            let (gate, last_epoch) = (name.to_owned(), standing.last_epoch);
            Ok(Some(ReadyGate { gate, running: 0, pinned: 0, misled: 0, last_epoch, lifts_by: None, lifts_as: None }))
        }
        .boxed()
    }

    fn arm<'a>(
        &'a self,
        _database: &'a str,
        epoch: u64,
        drain_limit: Duration,
    ) -> BoxFuture<'a, Result<Armed, PartError>> {
        async move {
            let began = Instant::now();
            *self.armed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
            self.note_armed();
            if let Some(hold) = &self.commands.hold {
                let places = (self.course.from.as_str(), self.course.to.as_str());
                self.do_run(CommandKind::Hold, hold, places, epoch, drain_limit).await?;
            }
            Ok(Armed { drained: began.elapsed() })
        }
        .boxed()
    }

    /// Also where an earlier process has held clients.
    fn follows(&self, database: &str) {
        if self.leads(database) {
            self.note_armed();
        }
    }

    /// Clients are let in by now: only once this is done may the process end.
    fn settle<'a>(&'a self, database: &'a str, epoch: u64) -> BoxFuture<'a, Result<Option<Settled>, PartError>> {
        async move {
            if !self.leads(database) {
                return Ok(None);
            }
            let followed = self.follow(database, epoch).await;
            self.is_armed.store(false, Ordering::SeqCst);
            let armed_at = self.armed_at.lock().unwrap_or_else(PoisonError::into_inner).take();
            let paused = armed_at.map(|at| at.elapsed()).unwrap_or_default();
            followed.map(|()| {
                Some(Settled { paused, held: 0, ended: 0, misled: 0, failed: 0, longest_wait: Duration::ZERO })
            })
        }
        .boxed()
    }
}
