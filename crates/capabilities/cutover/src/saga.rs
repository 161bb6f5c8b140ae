//! A cutover as an operation in the journal: what is checked, made, switched and done afterwards, over kills.
//!
//! The critical section is one step: two appends more for each of its stages would be part of the pause. What a killed
//! process has left of it is found in the route's stream, never in the saga's.

mod steps;
mod task;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use atalaya_saga::{End, Options, Phase, SagaId, Sagas};

use self::task::{Hand, Input};
use crate::Error;
use crate::commands::options_of;
use crate::course::Means;
use crate::courses::Courses;
use crate::report::{Outcome, Report};
use crate::switch::{Begun, lead_again, opened, refuse_without_commands};

/// What kind of saga it is.
pub const KIND: &str = "cutover";
/// The same of several databases at once. A kind of its own: a version of the program that does not know it must not take what
/// was left of it for nothing.
pub const KIND_OF_SEVERAL: &str = "cutover-of-several";

/// How long a process that was killed keeps what it was doing. Gates do not wait for it: they have leases of their own.
const LEASE: Duration = Duration::from_secs(5);
/// More unfinished or failed ones of one floor than anybody has tried.
const TRIES_MAX: u32 = 10_000;
/// How often one that others have left, or have begun meanwhile, is ended before what was asked for.
const ROUNDS: u32 = 20;
/// How long a process may take from writing one down to its first step, and how often it is looked.
const TAKEN_UP: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);

/// Cutovers, as one process does them.
pub struct Cutovers {
    sagas: Sagas,
    means: Means,
    hand: Arc<Hand>,
}

impl Cutovers {
    /// With what they are done.
    ///
    /// # Errors
    /// Never, unless this program is wrong about its own definition.
    pub fn open(means: Means) -> Result<Self, Error> {
        let hand = Arc::new(Hand::default());
        let definition = |kind| steps::definition(kind, &means, &hand).map_err(atalaya_saga::Error::from);
        let definitions = vec![definition(KIND)?, definition(KIND_OF_SEVERAL)?];
        let options = Options { lease: LEASE, ..Options::default() };
        let store = means.routes.store().clone();
        let sagas = Sagas::new(store, definitions, options).map_err(atalaya_saga::Error::from)?;
        Ok(Self { sagas, means, hand })
    }

    /// Takes a course, or several at once: one report a database, in the order of the databases' names. What an earlier process
    /// has left of the same is brought to its end instead; what it has left of something else is ended first, and never leads
    /// clients away then.
    ///
    /// # Errors
    /// Why clients are not led away; they are where they were, unless [`Error::is_unsettled`]. [`Error::OtherMigration`] where
    /// another migration's was left, and [`Error::OtherGroup`] where one of further databases was: each has means of its own.
    pub async fn run(&self, courses: impl Into<Courses>) -> Result<Vec<Report>, Error> {
        let courses = courses.into();
        for _ in 0..ROUNDS {
            let mut asked = Vec::new();
            for course in courses.iter() {
                asked.push(Begun { course: course.clone(), floor: self.last_epoch(&course.database).await? });
            }
            let left = match self.find(&asked).await? {
                Found::Left(left) => left,
                Found::Free(id) => {
                    if let Some(reports) = lead_again(&courses, &self.means).await? {
                        return Ok(reports);
                    }
                    match self.start(&id, asked).await {
                        Ok(()) => return self.drive(&id).await,
                        // Another process was quicker, with another one.
                        Err(Error::Saga(atalaya_saga::Error::OtherSaga { .. })) => continue,
                        Err(error) => return Err(error),
                    }
                }
            };
            let begun = self.begun(&left).await?;
            if begun.iter().map(|begun| &begun.course).eq(courses.iter()) {
                self.refuse_without_commands(&begun).await?;
                tracing::info!(saga = left.as_str(), "goes on with what an earlier process has left");
                return self.go_on(&left).await;
            }
            self.refuse_others(&begun, &courses).await?;
            self.refuse_without_commands(&begun).await?;
            self.let_begin(&left).await?;
            tracing::warn!(saga = left.as_str(), "ends what an earlier process has left: it is not what is asked for");
            self.end(&left).await?;
        }
        Err(Error::NotDone { reason: "others begin one all the time".to_owned() })
    }

    /// One that nobody is at work on may have been written down this very moment: whoever has begun it is let take it up, and is
    /// waited for then.
    async fn let_begin(&self, id: &SagaId) -> Result<(), Error> {
        let until = Instant::now() + TAKEN_UP;
        loop {
            let view = self.sagas.show(id).await?;
            let was_taken_up = view.owner.is_some() || view.steps.iter().any(|step| step.attempts > 0);
            if was_taken_up || !matches!(view.phase, Phase::Going { .. }) || Instant::now() >= until {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn start(&self, id: &SagaId, mut asked: Vec<Begun>) -> Result<(), Error> {
        let (kind, input) = match asked.len() {
            1 => (KIND, asked.pop().map(Input::Of)),
            _ => (KIND_OF_SEVERAL, Some(Input::OfSeveral { databases: asked })),
        };
        let input = input.and_then(|input| serde_json::to_value(input).ok());
        let input = input.ok_or_else(|| Error::NotDone { reason: "it cannot be written".to_owned() })?;
        self.sagas.start(kind, id, input).await?;
        Ok(())
    }

    async fn last_epoch(&self, database: &str) -> Result<u64, Error> {
        Ok(self.means.routes.standing(database).await?.last_epoch)
    }

    async fn begun(&self, id: &SagaId) -> Result<Vec<Begun>, Error> {
        let input: Option<Input> = serde_json::from_value(self.sagas.input(id).await?).ok();
        let unreadable = || Error::NotDone { reason: "what an earlier process has left cannot be read".to_owned() };
        Ok(input.ok_or_else(unreadable)?.begun())
    }

    /// Refuses to end what this process has not the means for: another migration's, and what clients of further databases are
    /// held for, or are led away by.
    async fn refuse_others(&self, begun: &[Begun], courses: &Courses) -> Result<(), Error> {
        for Begun { course, .. } in begun {
            let asked = courses.iter().find(|asked| asked.database == course.database);
            if let Some(asked) = asked
                && asked.migration != course.migration
            {
                let (database, migration) = (course.database.clone(), course.migration.clone());
                return Err(Error::OtherMigration { database, migration });
            }
        }
        let is_asked = |begun: &Begun| courses.iter().any(|asked| asked.database == begun.course.database);
        if begun.iter().all(is_asked) {
            return Ok(());
        }
        let Some((epoch, _)) = opened(begun, &self.means).await? else { return Ok(()) };
        let options = options_of(&epoch.opening.gates);
        let migrations: Vec<String> = begun.iter().map(|begun| begun.course.migration.clone()).collect();
        let command = begun.first().map_or_else(String::new, |first| first.course.command(&migrations, options));
        Err(Error::OtherGroup { migrations, command })
    }

    /// Before its steps are gone on with: one that was refused would count as ended.
    async fn refuse_without_commands(&self, begun: &[Begun]) -> Result<(), Error> {
        match opened(begun, &self.means).await? {
            Some((epoch, _)) => refuse_without_commands(begun, &epoch, &self.means),
            None => Ok(()),
        }
    }

    async fn go_on(&self, id: &SagaId) -> Result<Vec<Report>, Error> {
        if let Phase::Stuck { .. } = self.sagas.show(id).await?.phase {
            self.sagas.retry(id, &self.means.by).await?;
        }
        self.drive(id).await
    }

    /// Gives one up that has not led clients away, and finishes one that has.
    async fn end(&self, id: &SagaId) -> Result<(), Error> {
        self.hand.gives_up.store(true, Ordering::SeqCst);
        let came = self.go_on(id).await;
        self.hand.gives_up.store(false, Ordering::SeqCst);
        match self.sagas.show(id).await?.phase {
            Phase::Ended { .. } => Ok(()),
            _ => came.map(drop),
        }
    }

    async fn drive(&self, id: &SagaId) -> Result<Vec<Report>, Error> {
        self.take();
        let phase = self.sagas.drive_to_end(id).await?;
        let said = self.take();
        match (phase, said) {
            (Phase::Ended { end: End::Completed }, Some(Ok(reports))) => self.if_it_is_so_still(reports).await,
            (Phase::Stuck { step, reason, .. }, said) => Err(match said {
                Some(Err(error)) => error,
                _ => Error::Stuck { step, reason },
            }),
            (_, Some(Err(error))) => Err(error),
            (Phase::Ended { end }, _) => {
                if end == End::Completed
                    && let Some(reports) = self.reported(id).await?
                {
                    return self.if_it_is_so_still(reports).await;
                }
                let failure = self.sagas.show(id).await?.failure;
                let reason = failure.unwrap_or_else(|| match end {
                    End::Completed => "another process has brought it to its end".to_owned(),
                    End::Compensated | End::Abandoned => "it was given up".to_owned(),
                });
                Err(Error::NotDone { reason })
            }
            (Phase::Going { .. }, _) => Err(Error::NotDone { reason: "it goes on elsewhere".to_owned() }),
        }
    }

    /// What another process has written down of the same one.
    async fn reported(&self, id: &SagaId) -> Result<Option<Vec<Report>>, Error> {
        let mut reports = Vec::new();
        for Begun { course, floor } in self.begun(id).await? {
            let last = Report::last(self.means.routes.store(), &course.database).await?;
            let Some(report) = last.filter(|report| report.course == course && report.epoch > floor) else {
                return Ok(None);
            };
            reports.push(Report { resumed: true, ..report });
        }
        Ok(Some(reports))
    }

    /// Others may have led clients elsewhere while this process slept. Where the journal does not say so, what it said before
    /// counts.
    async fn if_it_is_so_still(&self, reports: Vec<Report>) -> Result<Vec<Report>, Error> {
        for report in reports.iter().filter(|report| report.outcome == Outcome::Flipped) {
            let standing = self.means.routes.standing(&report.course.database).await.ok();
            let later = standing.filter(|standing| standing.last_epoch > report.epoch);
            if let Some(led) = later.and_then(|standing| standing.leads_to)
                && led.to != report.course.to
            {
                return Err(Error::LedElsewhere { epoch: report.epoch, leads_to: led.to });
            }
        }
        Ok(reports)
    }

    fn take(&self) -> Option<Result<Vec<Report>, Error>> {
        self.hand.said.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// One that has not ended and is about one of these databases: by the databases that each may be known by, begun at their
    /// last epoch, or at the one before it, which it has raised itself; or the next one by which what is asked for is known.
    /// Found in one look, so that two processes at once come to the same one.
    async fn find(&self, asked: &[Begun]) -> Result<Found, Error> {
        let mut free = None;
        for (database, floor) in self.known_by(asked).await? {
            if let Some(before) = floor.checked_sub(1)
                && let Found::Left(left) = self.find_at(&database, before).await?
            {
                return Ok(Found::Left(left));
            }
            match self.find_at(&database, floor).await? {
                Found::Left(left) => return Ok(Found::Left(left)),
                Found::Free(id) if asked.first().is_some_and(|first| first.course.database == database) => {
                    free = Some(id);
                }
                Found::Free(_) => {}
            }
        }
        free.map(Found::Free).ok_or_else(|| Error::NotDone { reason: "no database is named".to_owned() })
    }

    /// Each database with its floor, and those by which the groups are known that these epochs belong to.
    async fn known_by(&self, asked: &[Begun]) -> Result<BTreeMap<String, u64>, Error> {
        let mut known: BTreeMap<String, u64> =
            asked.iter().map(|Begun { course, floor }| (course.database.clone(), *floor)).collect();
        for Begun { course, floor } in asked {
            let found = self.means.routes.epoch(&course.database, *floor).await?;
            let group = found.into_iter().flat_map(|(epoch, _)| epoch.group().collect::<Vec<_>>());
            if let Some(first) = group.map(|member| member.database).min()
                && !known.contains_key(&first)
            {
                let last_epoch = self.last_epoch(&first).await?;
                known.insert(first, last_epoch);
            }
        }
        Ok(known)
    }

    async fn find_at(&self, database: &str, floor: u64) -> Result<Found, Error> {
        for number in 1..TRIES_MAX {
            let id = id_of(database, floor, number)?;
            match self.sagas.show(&id).await {
                Ok(view) if matches!(view.phase, Phase::Ended { .. }) => {}
                Ok(_) => return Ok(Found::Left(id)),
                Err(atalaya_saga::Error::UnknownSaga { .. }) => return Ok(Found::Free(id)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::NotDone { reason: "it was tried too often".to_owned() })
    }
}

/// What there is of a database.
enum Found {
    /// One that has not ended.
    Left(SagaId),
    /// None; this is the next one's name.
    Free(SagaId),
}

fn id_of(database: &str, floor: u64, number: u32) -> Result<SagaId, Error> {
    SagaId::new(&format!("{KIND}-{database}-{floor}-{number}"))
        .map_err(|_| Error::NotDone { reason: "the database's name is too long".to_owned() })
}

#[cfg(test)]
mod tests;
