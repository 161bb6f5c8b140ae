//! Who is led where, and what for.

use std::sync::Arc;
use std::time::Duration;

use atalaya_control::Failpoints;
use atalaya_estate::ConnectionUrl;
use atalaya_route::Routes;
use serde::{Deserialize, Serialize};

use crate::prewarm::Prewarm;
use crate::{Charge, Direction, Error, ReplicationControl, TrafficGate};

/// Whether clients are really led away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// They are.
    Flip,
    /// Everything but the flip is done, and clients stay.
    Rehearse,
}

/// Who is led where. Holds no credential: it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// The migration's name.
    pub migration: String,
    /// The route: the estate's name of the database that clients were led to at first.
    pub database: String,
    /// The estate's name of where clients are.
    pub from: String,
    /// The estate's name of where they are led.
    pub to: String,
    /// Which way that is.
    pub direction: Direction,
    /// What for.
    pub purpose: Purpose,
}

impl Course {
    /// The command that takes it, with everything that was taken with it, and the options of commands that have to be given;
    /// nobody knows their texts here.
    #[must_use]
    pub fn command(&self, migrations: &[String], options: &[&str]) -> String {
        let verb = match self.direction {
            Direction::Forward => "cutover",
            Direction::Back => "rollback",
        };
        let rehearse = if self.purpose == Purpose::Rehearse { " --rehearse" } else { "" };
        let options: String = options.iter().map(|option| format!(" {option} ...")).collect();
        format!("atalaya migrate {verb} {}{rehearse}{options}", migrations.join(" "))
    }

    /// The one that leads clients back.
    #[must_use]
    pub fn opposite(&self) -> Self {
        let direction = match self.direction {
            Direction::Forward => Direction::Back,
            Direction::Back => Direction::Forward,
        };
        let (from, to) = (self.to.clone(), self.from.clone());
        Self { from, to, direction, purpose: Purpose::Flip, ..self.clone() }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long clients are held at most, unless they are led away.
    pub max_pause: Duration,
    /// How old the last clean proof may be.
    pub proof_age_max: Duration,
    /// How far the other side may be behind when it begins.
    pub lag_bytes_max: u64,
    /// How long it may take, before clients are held, until little is left to apply.
    pub come_close: Duration,
    /// How long transactions may go on of which no gateway knows, once nobody else gets in; zero where they are ended at once.
    pub grace: Duration,
}

impl Limits {
    /// How long transactions are waited for that run when gates close.
    #[must_use]
    pub fn drain(&self) -> Duration {
        self.max_pause / 2
    }

    /// How long there is to come to a decision. What is kept back is for closing the epoch, lifting the fence and opening the gates.
    pub(crate) fn work(&self) -> Duration {
        self.max_pause.mul_f64(0.75)
    }

    /// How long gates keep to an epoch that nobody decides: longer than anybody works on it, and shorter than the pause. What is
    /// kept back is for the gateway's own end of it, so that clients whose coordinator is gone are served again within the pause, too.
    pub(crate) fn lease(&self) -> Duration {
        self.max_pause.mul_f64(0.875)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pause: Duration::from_secs(2),
            proof_age_max: Duration::from_secs(24 * 3600),
            lag_bytes_max: 16 << 20,
            come_close: Duration::from_secs(60),
            grace: Duration::ZERO,
        }
    }
}

/// What is done about tables that are not proven when clients are about to be led away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unproven {
    /// They forbid it.
    #[default]
    Refuse,
    /// They are named, and clients are led away.
    Allow,
}

/// What is done about differences between both schemas that change what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherSchema {
    /// They forbid a cutover.
    #[default]
    Refuse,
    /// They are named, and clients are led away.
    Allow,
}

/// What is done about plans that are worse where clients are led.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanCheck {
    /// They are not looked for.
    Off,
    /// They are told, unless our role on either server is a superuser or can become one: planning may run code of those who
    /// wrote the statements, and what they make while it goes on is not seen.
    #[default]
    WarnUnlessAlmighty,
    /// They are told.
    Warn,
    /// They forbid it.
    Fail,
}

/// How plans are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plans {
    /// What is done about those that are worse.
    pub check: PlanCheck,
    /// Of how many statements: those that take most time.
    pub statements: usize,
    /// How many times as much one has to be estimated to cost, to be worse for that alone.
    pub cost_factor: u32,
}

impl Default for Plans {
    fn default() -> Self {
        Self { check: PlanCheck::default(), statements: 50, cost_factor: 5 }
    }
}

/// What one database is led between. Cheap to clone.
#[derive(Clone)]
pub struct Ends {
    /// The route: the estate's name of the database that clients were led to at first.
    pub database: String,
    /// Both servers by their names in the estate, each as its fencing role.
    pub places: [(String, ConnectionUrl); 2],
    /// The streams between both.
    pub replication: Arc<dyn ReplicationControl>,
}

/// With what it is done. Cheap to clone.
#[derive(Clone)]
pub struct Means {
    /// The journal's routes.
    pub routes: Routes,
    /// Every gateway that leads clients to one of the databases.
    pub gates: Vec<Arc<dyn TrafficGate>>,
    /// Of each database.
    pub ends: Vec<Ends>,
    /// How long things may take.
    pub limits: Limits,
    /// The roles that gateways log clients in as, as far as they are known.
    pub client_roles: Vec<String>,
    /// Whether every table has to be proven.
    pub unproven: Unproven,
    /// Whether both schemas have to store the same.
    pub other_schema: OtherSchema,
    /// How plans are compared.
    pub plans: Plans,
    /// Whether the cache of the server that clients are led to is filled before they are held.
    pub prewarm: Option<Prewarm>,
    /// Who does it, as the journal says it.
    pub by: String,
    /// Where tests step in.
    pub failpoints: Failpoints,
}

impl Means {
    /// What a database is led between.
    pub(crate) fn ends(&self, course: &Course) -> Result<&Ends, Error> {
        let found = self.ends.iter().find(|ends| ends.database == course.database);
        found.ok_or_else(|| Error::NoPlace { place: course.database.clone() })
    }

    /// Whether a gateway may be there for another database.
    pub(crate) fn are_for_several(&self) -> bool {
        self.ends.len() > 1
    }

    /// From here on nobody else ends the course's move, changes its way back or leads its clients; only looked at where it is
    /// so already.
    pub(crate) async fn take_charge(&self, course: &Course) -> Result<(), Error> {
        match self.replication(course)?.take_charge().await {
            Ok(Charge::Taken) => Ok(()),
            Ok(Charge::Occupied(why)) => Err(Error::Occupied(why)),
            Err(source) => Err(Error::Replication { stage: "being in charge of the move", source }),
        }
    }

    /// The server that a course leaves, or leads to.
    pub(crate) fn url(&self, course: &Course, place: &str) -> Result<&ConnectionUrl, Error> {
        let found = self.ends(course)?.places.iter().find(|(name, _)| name == place);
        found.map(|(_, url)| url).ok_or_else(|| Error::NoPlace { place: place.to_owned() })
    }

    /// The streams of a course.
    pub(crate) fn replication(&self, course: &Course) -> Result<&dyn ReplicationControl, Error> {
        Ok(&*self.ends(course)?.replication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_outlast_whoever_decides_and_open_within_the_pause() {
        for milliseconds in [50, 2000, 600_000] {
            let limits = Limits { max_pause: Duration::from_millis(milliseconds), ..Limits::default() };
            let in_their_order = [limits.drain(), limits.work(), limits.lease(), limits.max_pause];
            assert!(in_their_order.is_sorted_by(|one, next| one < next), "{in_their_order:?}");
        }
    }
}
