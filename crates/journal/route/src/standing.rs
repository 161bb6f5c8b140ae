//! What the last events of a route's stream come to. Pure: the same events, the same answer.

use std::time::Duration;

use atalaya_eventstore::Event;

use crate::Error;
use crate::event::{Led, Member, RouteEvent};

/// Where a database's clients are led, and whether that is about to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Where the last flip has led them; none as long as none ever did: they are where the estate file says.
    pub leads_to: Option<Led>,
    /// The epoch that is not decided yet.
    pub open: Option<OpenEpoch>,
    /// The number of the newest epoch, open or not; 0 for none.
    pub last_epoch: u64,
}

/// What an epoch is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What for.
    pub migration: String,
    /// The estate's name of where clients are.
    pub from: String,
    /// The estate's name of where they are to be led.
    pub to: String,
    /// Who has to hold clients: gateways, as they name themselves.
    pub gates: Vec<String>,
    /// How long a gate that was closed for the epoch waits for its decision; then it closes the epoch.
    pub lease: Duration,
    /// What lets clients in again at `from`: SQL statements, in their order, run as one batch. They must do no harm when
    /// they are run again, and by several at once; nor when they are run late, by a gate that was frozen while a later epoch
    /// has fenced the same server: then they must do nothing.
    pub lift: Vec<String>,
    /// The epoch can only be closed.
    pub rehearsal: bool,
}

/// An epoch as it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenEpoch {
    /// The route's database.
    pub database: String,
    /// Its number.
    pub epoch: u64,
    /// What it was opened with.
    pub opening: Opening,
    /// When, by the journal's clock, in microseconds since 1970 UTC. Says when to try to close it; decides nothing.
    pub opened_at_us: i64,
    /// Where clients had been led before it.
    pub led: Option<Led>,
    /// The epochs of other routes that were opened with it, and are decided with it: all of them flip, or none does.
    pub with: Vec<Member>,
}

impl OpenEpoch {
    /// Itself and those that it is decided with.
    pub fn group(&self) -> impl Iterator<Item = Member> + '_ {
        let own = Member {
            database: self.database.clone(),
            epoch: self.epoch,
            migration: self.opening.migration.clone(),
            to: self.opening.to.clone(),
        };
        std::iter::once(own).chain(self.with.iter().cloned())
    }

    /// What a decision about another one of its group says of this one.
    #[must_use]
    pub fn under(&self, decision: &Decision) -> Decision {
        match decision.clone() {
            Decision::Flipped { .. } => Decision::Flipped { to: self.opening.to.clone(), epoch: self.epoch },
            Decision::Closed { by, reason, .. } => Decision::Closed { by, reason, epoch: self.epoch },
        }
    }
}

/// What became of an epoch. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Clients are led elsewhere.
    Flipped {
        /// The estate's name of where to.
        to: String,
        /// Which epoch.
        epoch: u64,
    },
    /// Clients stay where they were.
    Closed {
        /// Who closed it.
        by: String,
        /// Why.
        reason: String,
        /// Which epoch.
        epoch: u64,
    },
}

/// The version at which an epoch is opened. None for a number that no epoch has.
pub(crate) fn version_of(epoch: u64) -> Option<u64> {
    epoch.checked_mul(2)?.checked_sub(1)
}

/// What the stream's last events say, the newest first; two of them are enough.
pub(crate) fn standing_of(database: &str, newest: &[Event]) -> Result<Standing, Error> {
    let Some(last) = newest.first() else { return Ok(Standing::default()) };
    if let RouteEvent::EpochOpened { .. } = said(database, last)? {
        let epoch = opened(database, last)?;
        return Ok(Standing { leads_to: epoch.led.clone(), last_epoch: epoch.epoch, open: Some(epoch) });
    }
    let (leads_to, last_epoch) = match decided(database, last)? {
        Decision::Flipped { to, epoch } => (Some(Led { to, epoch }), epoch),
        // Where clients stay, the opening says.
        Decision::Closed { epoch, .. } => {
            let before = newest.get(1).filter(|before| before.version.checked_add(1) == Some(last.version));
            (opened(database, before.ok_or_else(|| unreadable(database, last))?)?.led, epoch)
        }
    };
    Ok(Standing { leads_to, open: None, last_epoch })
}

/// An epoch from the event that opened it.
pub(crate) fn opened(database: &str, event: &Event) -> Result<OpenEpoch, Error> {
    let RouteEvent::EpochOpened { epoch, migration, from, to, gates, lease_ms, lift, rehearsal, led, with } =
        said(database, event)?
    else {
        return Err(unreadable(database, event));
    };
    at_its_place(database, event, epoch, Place::Opening)?;
    let is_decidable = |(place, member): (usize, &Member)| {
        let before = with.iter().take(place).map(|other| other.database.as_str());
        version_of(member.epoch).is_some() && before.chain([database]).all(|other| other != member.database)
    };
    if !with.iter().enumerate().all(is_decidable) {
        return Err(unreadable(database, event));
    }
    Ok(OpenEpoch {
        database: database.to_owned(),
        epoch,
        opening: Opening { migration, from, to, gates, lease: Duration::from_millis(lease_ms), lift, rehearsal },
        opened_at_us: event.recorded_at_us,
        led,
        with,
    })
}

/// What became of an epoch, from the event behind the one that opened it.
pub(crate) fn decided(database: &str, event: &Event) -> Result<Decision, Error> {
    let decision = match said(database, event)? {
        RouteEvent::Flipped { epoch, to, .. } => Decision::Flipped { to, epoch },
        RouteEvent::EpochClosed { epoch, by, reason } => Decision::Closed { by, reason, epoch },
        RouteEvent::EpochOpened { .. } => return Err(unreadable(database, event)),
    };
    let (Decision::Flipped { epoch, .. } | Decision::Closed { epoch, .. }) = decision;
    at_its_place(database, event, epoch, Place::Decision)?;
    Ok(decision)
}

enum Place {
    Opening,
    Decision,
}

/// An event that stands elsewhere than its epoch says was written by somebody else.
fn at_its_place(database: &str, event: &Event, epoch: u64, place: Place) -> Result<(), Error> {
    let behind = match place {
        Place::Opening => 0,
        Place::Decision => 1,
    };
    let version = version_of(epoch).and_then(|version| version.checked_add(behind));
    if version == Some(event.version) { Ok(()) } else { Err(unreadable(database, event)) }
}

fn said(database: &str, event: &Event) -> Result<RouteEvent, Error> {
    RouteEvent::read(event).ok_or_else(|| unreadable(database, event))
}

fn unreadable(database: &str, event: &Event) -> Error {
    Error::Unreadable { database: database.to_owned(), version: event.version }
}

#[cfg(test)]
mod tests;
