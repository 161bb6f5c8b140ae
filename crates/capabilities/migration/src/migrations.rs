//! The migrations of one journal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atalaya_data::MigrationId;
use atalaya_eventstore::{Store, Tables};
use atalaya_saga::{Options, Phase, SagaId, Sagas, Way};
use futures_util::future::BoxFuture;
use rand::RngExt;

use crate::definition::{BEGIN, KIND, REMOVE, definition};
use crate::operation::{Operation, saga_of};
use crate::standing::{Standing, Standings};
use crate::{Engine, Error, Idle, Known, MigrationEvent, Subject};

/// How long a process that was killed keeps what it was doing; the target's own lock keeps two apart besides.
const LEASE: Duration = Duration::from_secs(5);

/// The migrations of one journal.
#[derive(Clone)]
pub struct Migrations {
    store: Store,
    tables: Tables,
    sagas: Sagas,
    called: Arc<Called>,
}

/// The engine, and why it last did not do what it was asked for.
pub(crate) struct Called {
    engine: Arc<dyn Engine>,
    /// Only who finishes or aborts has it do anything: whoever looks, notes or runs may find the saga at its last step.
    permitted: AtomicBool,
    failed: Mutex<Option<String>>,
}

/// The engine may be asked for as long as this lives.
pub(crate) struct Permit<'a>(&'a Called);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.permitted.store(false, Ordering::SeqCst);
    }
}

impl Called {
    fn keep(&self, done: Result<(), String>) -> Result<(), String> {
        if let Ok(mut failed) = self.failed.lock() {
            *failed = done.as_ref().err().cloned();
        }
        done
    }

    pub(crate) fn permit(&self) -> Permit<'_> {
        self.permitted.store(true, Ordering::SeqCst);
        Permit(self)
    }

    fn refuse(&self) -> Result<(), String> {
        match self.permitted.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err("to be done by `atalaya migrate finish` or `abort`".to_owned()),
        }
    }

    /// Why not, once.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failed.lock().ok()?.take()
    }
}

impl Engine for Called {
    fn clean_up(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.refuse()?;
            self.keep(self.engine.clean_up().await)
        })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.refuse()?;
            self.keep(self.engine.withdraw().await)
        })
    }
}

/// The sagas of a journal for who looks at them and decides about them, and does nothing of their steps.
///
/// # Errors
/// Never, unless this program is wrong about its own definition.
pub fn open_sagas(store: Store) -> Result<Sagas, Error> {
    sagas(store, &(Arc::new(Idle) as Arc<dyn Engine>))
}

fn sagas(store: Store, engine: &Arc<dyn Engine>) -> Result<Sagas, Error> {
    let options = Options { lease: LEASE, ..Options::default() };
    let definition = definition(engine).map_err(atalaya_saga::Error::from)?;
    Ok(Sagas::new(store, vec![definition], options).map_err(atalaya_saga::Error::from)?)
}

impl Migrations {
    /// Those of a journal, whose table of migrations is kept in `tables`; the last steps are done by `engine`.
    ///
    /// # Errors
    /// Never, unless this program is wrong about its own definition.
    pub fn open(store: Store, tables: Tables, engine: Arc<dyn Engine>) -> Result<Self, Error> {
        let called = Arc::new(Called { engine, permitted: AtomicBool::new(false), failed: Mutex::new(None) });
        let sagas = sagas(store.clone(), &(Arc::clone(&called) as Arc<dyn Engine>))?;
        Ok(Self { store, tables, sagas, called })
    }

    /// The migration that a run is about to begin, or to go on with; `known` is what the target says of it.
    ///
    /// # Errors
    /// [`Error::Over`], [`Error::GoesBack`] and [`Error::LastWord`] where the journal forbids a run.
    pub async fn begin(&self, subject: &Subject, known: Option<Known>) -> Result<Operation, Error> {
        let operation = match known {
            Some(known) => self.take_up(subject, &known).await?,
            None => match self.begun(subject).await? {
                Some(id) => self.operation(id)?,
                None => self.begin_anew(subject).await?,
            },
        };
        operation.refuse_way_back().await?;
        if let Phase::Ended { end } = operation.show().await?.phase {
            return Err(Error::Over { id: operation.id().clone(), end });
        }
        operation.ask_others().await?;
        Ok(operation)
    }

    /// The migration that the target or, where it knows none, the journal has under way; none where neither does.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub async fn find(&self, subject: &Subject, known: Option<Known>) -> Result<Option<Operation>, Error> {
        match known {
            Some(known) => self.take_up(subject, &known).await.map(Some),
            None => {
                let standing = self.standings().await?.newest(subject).await?;
                standing.filter(|standing| standing.ended.is_none()).map(|found| self.operation(found.id)).transpose()
            }
        }
    }

    /// Writes down that a run begins; before it, where the journal has no end of the run before, that there is none. Of what
    /// that run said last, more may be missing: nobody is left who has counted it.
    ///
    /// # Errors
    /// When the journal or the table does not answer.
    pub async fn run_begins(
        &self,
        operation: &Operation,
        subject: &Subject,
        began: MigrationEvent,
    ) -> Result<(), Error> {
        let standing = self.standings().await?.newest(subject).await?.filter(|standing| standing.id == *operation.id());
        let last = standing.and_then(|standing| standing.last_run).filter(|run| run.ended_at_us.is_none());
        let unended = last.map(|run| MigrationEvent::RunEndUnknown { run: run.id });
        operation.note(&unended.into_iter().chain([began]).collect::<Vec<_>>()).await
    }

    /// The table of migrations, brought up to the journal's end.
    ///
    /// # Errors
    /// When the journal or the table does not answer.
    pub async fn standings(&self) -> Result<Standings, Error> {
        Standings::up_to_date(self.store.clone(), self.tables.clone()).await
    }

    /// Lets go of journal and table, with everything that waits written.
    pub async fn close(self) {
        self.store.close().await;
        self.tables.close().await;
    }

    fn operation(&self, id: MigrationId) -> Result<Operation, Error> {
        Operation::new(self.store.clone(), self.sagas.clone(), Arc::clone(&self.called), id)
    }

    /// What the target has, in the journal as far as the target says; begun there where the journal does not know it.
    async fn take_up(&self, subject: &Subject, known: &Known) -> Result<Operation, Error> {
        let operation = self.operation(known.id.clone())?;
        match self.sagas.show(operation.saga()).await {
            Ok(view) if matches!(view.phase, Phase::Going { way: Way::Forward }) => {}
            Ok(_) => return Ok(operation),
            Err(atalaya_saga::Error::UnknownSaga { .. }) => self.start(subject, operation.saga(), true).await?,
            Err(error) => return Err(error.into()),
        }
        operation.reached(known.reached).await?;
        Ok(operation)
    }

    /// A migration that was begun and never came to the target. One that had come there, and that the target knows nothing
    /// of any more, is given up: its target is another one.
    async fn begun(&self, subject: &Subject) -> Result<Option<MigrationId>, Error> {
        let standing = self.standings().await?.newest(subject).await?;
        let Some(standing) = standing.filter(|standing| standing.ended.is_none()) else { return Ok(None) };
        if goes_forward(&standing) && standing.step.as_deref() == Some(REMOVE) {
            return Err(Error::LastWord { id: standing.id });
        }
        let saga = saga_of(&standing.id)?;
        if goes_forward(&standing) && standing.step.as_deref().is_none_or(|step| step == BEGIN) {
            return Ok(Some(standing.id));
        }
        self.sagas.abandon(&saga, "atalaya", "the target knows nothing of it any more").await?;
        Ok(None)
    }

    async fn begin_anew(&self, subject: &Subject) -> Result<Operation, Error> {
        let operation = self.operation(MigrationId::new(subject.name.clone(), rand::rng().random()))?;
        self.start(subject, operation.saga(), false).await?;
        Ok(operation)
    }

    async fn start(&self, subject: &Subject, saga: &SagaId, adopted: bool) -> Result<(), Error> {
        let input = serde_json::json!({
            "name": subject.name, "source": subject.source, "target": subject.target, "adopted": adopted,
        });
        self.sagas.start(KIND, saga, input).await?;
        Ok(())
    }
}

fn goes_forward(standing: &Standing) -> bool {
    standing.way == Way::Forward
}
