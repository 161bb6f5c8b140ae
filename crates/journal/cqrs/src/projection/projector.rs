//! Brings one version of a projection up to date, batch by batch, and keeps it so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_eventstore::{Direction, Event, Position, Ran, Read, Selection, Store, Tables, TablesError};
use tokio::sync::watch;

use super::batch::{Batch, Effects, Parked, Place};
use super::bookkeeping::{self, VersionRow};
use super::parked::{self, parked_keys};
use super::{OnPoison, Projection, ProjectionError, swap};

/// The most events of one transaction.
const BATCH: u32 = 500;

/// What one turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has come so far, and there may be more.
    To(Position),
    /// There is nothing more for now: at the journal's end, or where the live version stands.
    UpToDate(Position),
    /// A later version has taken its place.
    Retired,
}

/// How a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which version.
    pub version: u32,
    /// Whether readers see it.
    pub live: bool,
    /// How far it has come.
    pub checkpoint: Position,
    /// How many events the journal has beyond that.
    pub lag: u64,
    /// How many events are set aside.
    pub parked: u64,
}

/// One version of a projection at work. Of several in one place only one gets on.
pub struct Projector {
    store: Store,
    tables: Tables,
    projection: Arc<dyn Projection>,
}

impl Projector {
    /// Makes the tables where they are missing. The first version of a projection is live at once; a later one is built
    /// beside it, until [`Projector::swap_in`].
    ///
    /// # Errors
    /// When the tables cannot be made, or the projection is of one stream alone.
    pub async fn open(store: Store, tables: Tables, projection: impl Projection) -> Result<Self, ProjectionError> {
        if matches!(projection.selection(), Selection::Stream(_)) {
            // Its events are counted by version, checkpoints by position.
            return Err(ProjectionError::OneStream { projection: projection.name().to_owned() });
        }
        bookkeeping::ensure(&tables, &projection).await?;
        Ok(Self { store, tables, projection: Arc::new(projection) })
    }

    /// Projects the next events in one transaction.
    ///
    /// # Errors
    /// [`ProjectionError::Poisoned`] where the projection stops at such an event.
    pub async fn turn(&self) -> Result<Turn, ProjectionError> {
        let projection = self.projection.as_ref();
        let versions = bookkeeping::read(&self.tables, projection).await?;
        let own = self.own(&versions)?;
        if own.retired {
            return Ok(Turn::Retired);
        }
        let head = self.store.head().await?;
        if own.checkpoint > head {
            let name = projection.name().to_owned();
            return Err(ProjectionError::BeyondHead { projection: name, position: own.checkpoint, head });
        }
        // One that was restored and has grown since has other events there.
        if self.store.chain_at(own.checkpoint).await? != own.chain {
            let name = projection.name().to_owned();
            return Err(ProjectionError::OtherHistory { projection: name, position: own.checkpoint });
        }
        // What is being built never passes the live one: at the swap both stand at the same event.
        let live = versions.iter().find(|row| row.live);
        let (end, effects) = match live {
            Some(live) if !own.live => (live.checkpoint, Effects::HeldBack),
            _ => (head, Effects::Happen),
        };
        if own.checkpoint >= end {
            return Ok(Turn::UpToDate(own.checkpoint));
        }
        let read = Read {
            selection: projection.selection(),
            direction: Direction::Forward,
            from: Some(own.checkpoint.next().number()),
            limit: BATCH,
        };
        let page = self.store.read(read).await?;
        let more = page.next.is_some();
        let events: Vec<Event> = page.events.into_iter().filter(|event| event.position <= end).collect();
        let through = match events.last() {
            // The page may have been cut before the end.
            Some(last) if more && last.position < end => last.position,
            _ => end,
        };
        let Some(chain) = self.store.chain_at(through).await? else { return Ok(Turn::UpToDate(own.checkpoint)) };
        match self.write(own.checkpoint, Place { position: through, chain }, &events, effects).await {
            Ok(()) => Ok(Turn::To(through)),
            // A later version has taken over in the middle of it.
            Err(ProjectionError::Contended { .. }) if self.is_retired().await? => Ok(Turn::Retired),
            Err(error) => Err(error),
        }
    }

    async fn write(
        &self,
        from: Position,
        to: Place,
        events: &[Event],
        effects: Effects,
    ) -> Result<(), ProjectionError> {
        let projection = self.projection.as_ref();
        let mut parked: BTreeMap<String, Parked> = BTreeMap::new();
        if projection.on_poison() == OnPoison::ParkKey {
            let keys: BTreeSet<String> = events.iter().map(|event| projection.key(event)).collect();
            let known = parked_keys(&self.tables, projection, &keys).await?;
            parked.extend(known.into_iter().map(|key| (key, Parked::before_the_batch())));
        }
        // Each try sets more events aside, so that there are no more of them than events.
        for _ in 0..=events.len() {
            let mut batch = Batch::new(projection, from, to);
            let poisoned = match batch.fill(projection, events, &parked, effects) {
                Err(poisoned) => (poisoned.event, poisoned.reason),
                Ok(()) => match self.tables.run(batch.statements).await {
                    Ok(Ran::Committed(_)) => return Ok(()),
                    Ok(Ran::Unexpected { statement: 0, .. }) => return Err(self.contended()),
                    Ok(Ran::Unexpected { statement, .. }) => {
                        let event = batch.events.get(statement).copied().flatten().unwrap_or(0);
                        (event, "a statement touched another number of rows than it had to".to_owned())
                    }
                    Err(TablesError::Refused { statement, source }) => {
                        match batch.events.get(statement).copied().flatten() {
                            Some(event) => (event, atalaya_data::chain(&source)),
                            None => return Err(TablesError::Refused { statement, source }.into()),
                        }
                    }
                    Err(error) => return Err(error.into()),
                },
            };
            self.set_aside(events, poisoned, &mut parked)?;
        }
        Err(self.contended())
    }

    fn set_aside(
        &self,
        events: &[Event],
        (number, reason): (usize, String),
        parked: &mut BTreeMap<String, Parked>,
    ) -> Result<(), ProjectionError> {
        let projection = self.projection.as_ref();
        let Some(event) = events.get(number) else { return Err(self.contended()) };
        let key = projection.key(event);
        let set_aside = parked.get(&key).is_some_and(|parked| parked.from <= number);
        if projection.on_poison() == OnPoison::Stop || set_aside {
            return Err(ProjectionError::Poisoned {
                projection: projection.name().to_owned(),
                position: event.position,
                reason,
            });
        }
        tracing::warn!(
            projection = projection.name(),
            position = event.position.number(),
            reason,
            "an event is set aside"
        );
        parked.insert(key, Parked { from: number, reason });
        Ok(())
    }

    /// Keeps the tables up to date until `stop` becomes true, its sender is gone, or a later version has taken over.
    ///
    /// # Errors
    /// As [`Projector::turn`].
    pub async fn follow(&self, mut stop: watch::Receiver<bool>) -> Result<(), ProjectionError> {
        loop {
            let at = tokio::select! {
                turn = self.turn() => match turn? {
                    Turn::To(_) => continue,
                    Turn::UpToDate(at) => at,
                    Turn::Retired => return Ok(()),
                },
                () = stopped(&mut stop) => return Ok(()),
            };
            tokio::select! {
                waited = self.wait_beyond(at) => waited?,
                () = stopped(&mut stop) => return Ok(()),
            }
        }
    }

    /// Waits for more; one that is held back by the live version, which stands where it stands, looks again a little later.
    async fn wait_beyond(&self, at: Position) -> Result<(), ProjectionError> {
        const LOOK: Duration = Duration::from_millis(50);
        if at < self.store.head().await? {
            tokio::time::sleep(LOOK).await;
            return Ok(());
        }
        Ok(self.store.grown(at).await?)
    }

    async fn is_retired(&self) -> Result<bool, ProjectionError> {
        Ok(self.own(&bookkeeping::read(&self.tables, self.projection.as_ref()).await?)?.retired)
    }

    /// Waits until everything up to a position is in the tables: what one has written oneself can be read then.
    ///
    /// # Errors
    /// [`ProjectionError::Behind`] when it takes longer.
    pub async fn wait_for(&self, position: Position, limit: Duration) -> Result<(), ProjectionError> {
        const LOOK: Duration = Duration::from_millis(5);
        let begun = Instant::now();
        loop {
            let versions = bookkeeping::read(&self.tables, self.projection.as_ref()).await?;
            if versions.iter().any(|row| row.live && row.checkpoint >= position) {
                return Ok(());
            }
            if begun.elapsed() >= limit {
                let projection = self.projection.name().to_owned();
                return Err(ProjectionError::Behind { projection, position, limit });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How this version stands.
    ///
    /// # Errors
    /// When journal or tables do not answer.
    pub async fn status(&self) -> Result<Status, ProjectionError> {
        let own = self.own(&bookkeeping::read(&self.tables, self.projection.as_ref()).await?)?;
        let head = self.store.head().await?;
        Ok(Status {
            version: own.version,
            live: own.live,
            checkpoint: own.checkpoint,
            lag: head.number().saturating_sub(own.checkpoint.number()),
            parked: parked::count(&self.tables, self.projection.as_ref()).await?,
        })
    }

    /// Tries what was set aside under a key again, in its order; how many events are in the tables now.
    ///
    /// # Errors
    /// When journal or tables do not answer.
    pub async fn retry_parked(&self, key: &str) -> Result<u64, ProjectionError> {
        parked::retry(&self.store, &self.tables, self.projection.as_ref(), key).await
    }

    /// Makes this version the one that readers see, if it stands where the live one does; false where that one has gone on
    /// meanwhile: take a [`Projector::turn`] and try again.
    ///
    /// # Errors
    /// When it is live already, or was.
    pub async fn swap_in(&self) -> Result<bool, ProjectionError> {
        swap::swap_in(&self.tables, self.projection.as_ref()).await
    }

    /// Drops this version's tables: one that is not live, or that a later one has taken the place of.
    ///
    /// # Errors
    /// When it is live.
    pub async fn discard(self) -> Result<(), ProjectionError> {
        swap::discard(&self.tables, self.projection.as_ref()).await
    }

    fn own(&self, versions: &[VersionRow]) -> Result<VersionRow, ProjectionError> {
        let own = versions.iter().find(|row| row.version == self.projection.version());
        own.copied().ok_or_else(|| ProjectionError::Unreadable { projection: self.projection.name().to_owned() })
    }

    fn contended(&self) -> ProjectionError {
        ProjectionError::Contended { projection: self.projection.name().to_owned(), version: self.projection.version() }
    }
}

/// Returns when it is asked to stop, or nobody is left who could ask.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _sender_gone = stop.wait_for(|stop| *stop).await.map(|_| ());
}
