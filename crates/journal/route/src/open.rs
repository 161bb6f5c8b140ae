//! Opening epochs: of one route, or of several at once.

use std::time::Duration;

use atalaya_eventstore::Conflict;
use atalaya_eventstore::append::{APPEND_BYTES_MAX, DATA_BYTES_MAX};

use crate::event::{Led, Member, RouteEvent};
use crate::routes::{LEASE_MAX, Said, unreadable};
use crate::{Error, OpenEpoch, Opening, Routes};

/// The most routes of one group: each names all others.
pub const GROUP_MAX: usize = 128;
/// The most bytes of a name.
const NAME_BYTES_MAX: usize = 255;
const GATES_MAX: usize = 1024;
/// How often it is tried on top of what others write.
const ATTEMPTS: u32 = 5;

/// An epoch that is about to be opened.
struct Foreseen {
    epoch: u64,
    led: Option<Led>,
}

impl Routes {
    /// Opens an epoch: from here on somebody has to decide it.
    ///
    /// # Errors
    /// A refusal ([`Error::is_refusal`]) when one is open, or clients are elsewhere; otherwise as [`Routes::standing`].
    pub async fn open(&self, database: &str, opening: Opening) -> Result<OpenEpoch, Error> {
        let opened = self.open_together(vec![(database.to_owned(), opening)]).await?;
        opened.into_iter().next().ok_or_else(|| unreadable(database, 0))
    }

    /// Opens an epoch of each route, all of them or none. They are decided together, too: whoever flips or closes one of them
    /// decides them all, by one append. Answers in the order of the openings.
    ///
    /// # Errors
    /// As [`Routes::open`], of any of them.
    pub async fn open_together(&self, openings: Vec<(String, Opening)>) -> Result<Vec<OpenEpoch>, Error> {
        check_group(&openings)?;
        for _ in 0..ATTEMPTS {
            let mut foreseen = Vec::with_capacity(openings.len());
            for (database, opening) in &openings {
                foreseen.push(self.foresee(database, opening).await?);
            }
            let said = events_of(&openings, &foreseen);
            match self.append(said).await {
                Ok(()) => return self.read_back(&openings, &foreseen).await,
                Err(Error::Journal(atalaya_eventstore::Error::Conflict(Conflict::Version { .. }))) => {}
                Err(error) => return Err(error),
            }
        }
        let database = openings.into_iter().next().map(|(database, _)| database).unwrap_or_default();
        Err(Error::Contended { database, attempts: ATTEMPTS })
    }

    /// The number that the epoch will have, if nothing forbids it.
    async fn foresee(&self, database: &str, opening: &Opening) -> Result<Foreseen, Error> {
        let standing = self.standing(database).await?;
        if let Some(open) = standing.open {
            let (epoch, migration) = (open.epoch, open.opening.migration);
            return Err(Error::Open { database: database.to_owned(), epoch, migration });
        }
        let leads_to = standing.leads_to.as_ref().map_or(database, |led| &led.to);
        if leads_to != opening.from {
            let (database, leads_to, from) = (database.to_owned(), leads_to.to_owned(), opening.from.clone());
            return Err(Error::Elsewhere { database, leads_to, from });
        }
        Ok(Foreseen { epoch: standing.last_epoch + 1, led: standing.leads_to })
    }

    /// As they stand, with the time at which they were opened.
    async fn read_back(&self, openings: &[(String, Opening)], foreseen: &[Foreseen]) -> Result<Vec<OpenEpoch>, Error> {
        let mut opened = Vec::with_capacity(openings.len());
        for ((database, _), Foreseen { epoch, .. }) in openings.iter().zip(foreseen) {
            let found = self.epoch(database, *epoch).await?;
            opened.push(found.ok_or_else(|| unreadable(database, epoch.saturating_mul(2).saturating_sub(1)))?.0);
        }
        Ok(opened)
    }
}

fn events_of(openings: &[(String, Opening)], foreseen: &[Foreseen]) -> Vec<Said> {
    let member = |((database, opening), foreseen): (&(String, Opening), &Foreseen)| Member {
        database: database.clone(),
        epoch: foreseen.epoch,
        migration: opening.migration.clone(),
        to: opening.to.clone(),
    };
    let members: Vec<Member> = openings.iter().zip(foreseen).map(member).collect();
    let said = openings.iter().zip(foreseen).map(|((database, opening), Foreseen { epoch, led })| {
        let with = members.iter().filter(|member| member.database != *database).cloned().collect();
        let said = event_of(*epoch, opening, led.clone(), with);
        Said { database: database.clone(), on_top_of: (epoch - 1).saturating_mul(2), event: said }
    });
    said.collect()
}

fn event_of(epoch: u64, opening: &Opening, led: Option<Led>, with: Vec<Member>) -> RouteEvent {
    let Opening { migration, from, to, gates, lease, lift, rehearsal } = opening.clone();
    RouteEvent::EpochOpened {
        epoch,
        migration,
        from,
        to,
        gates,
        lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        lift,
        rehearsal,
        led,
        with,
    }
}

/// Refuses what no append could decide.
fn check_group(openings: &[(String, Opening)]) -> Result<(), Error> {
    let refuse = |reason| Err(Error::Unsuitable { reason });
    if openings.is_empty() || openings.len() > GROUP_MAX {
        return refuse("from one to 128 routes are opened at once");
    }
    let mut seen = std::collections::HashSet::new();
    if !openings.iter().all(|(database, _)| seen.insert(database)) {
        return refuse("a route is named twice");
    }
    let rehearsals = openings.iter().filter(|(_, opening)| opening.rehearsal).count();
    if rehearsals > 0 && rehearsals < openings.len() {
        return refuse("a part of it is a rehearsal");
    }
    openings.iter().try_for_each(|(_, opening)| check(opening))?;
    // JSON may need more than a byte for one, and there are names besides.
    let lift_bytes = openings.iter().flat_map(|(_, opening)| &opening.lift).map(String::len).sum::<usize>();
    if lift_bytes > APPEND_BYTES_MAX / 4 {
        return refuse("what lifts the fences is longer than 2 MiB");
    }
    Ok(())
}

/// Refuses what would not fit, or would hold clients for ever.
fn check(opening: &Opening) -> Result<(), Error> {
    let refuse = |reason| Err(Error::Unsuitable { reason });
    let names = [&opening.migration, &opening.from, &opening.to];
    if names.into_iter().chain(&opening.gates).any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        return refuse("a name is empty, or longer than 255 bytes");
    }
    if opening.gates.len() > GATES_MAX {
        return refuse("more than 1024 gates");
    }
    if opening.from == opening.to {
        return refuse("clients are there already");
    }
    if opening.lease < Duration::from_millis(1) || opening.lease > LEASE_MAX {
        return refuse("a lease is from a millisecond to ten minutes long");
    }
    // JSON may need more than a byte for one, and there are the gates besides.
    if opening.lift.iter().map(String::len).sum::<usize>() > DATA_BYTES_MAX / 8 {
        return refuse("what lifts the fence is longer than 128 KiB");
    }
    Ok(())
}
