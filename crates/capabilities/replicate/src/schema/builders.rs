//! Sessions on the target that build indexes, validate foreign keys and vacuum, one task after the other: each new one would
//! cost a login and a cold catalog.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use tokio::sync::Mutex;

use crate::Error;

/// What a session is taken for; its name in `pg_stat_activity` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Index builds, with the memory that they are given.
    Indexes,
    /// Validation of foreign keys.
    ForeignKeys,
    /// Statistics and visibility map.
    Vacuum,
}

impl Work {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Indexes => "indexes",
            Self::ForeignKeys => "foreign keys",
            Self::Vacuum => "vacuum",
        }
    }
}

/// Sessions of one migration: those that rest, and how others are opened.
pub(crate) struct Builders<'a> {
    target: &'a ConnectionUrl,
    migration: &'a str,
    maintenance_work_mem: &'a str,
    rest: Mutex<Vec<Session>>,
}

impl<'a> Builders<'a> {
    pub(crate) fn new(target: &'a ConnectionUrl, migration: &'a str, maintenance_work_mem: &'a str) -> Self {
        Self { target, migration, maintenance_work_mem, rest: Mutex::default() }
    }

    /// A session for some work.
    pub(crate) async fn take(&self, work: Work) -> Result<Session, Error> {
        let name = format!("atalaya {} {}", work.as_str(), self.migration);
        let rested = self.rest.lock().await.pop();
        let session = match rested {
            Some(session) => {
                let name = atalaya_data::quote_literal(&name);
                let reset = "RESET maintenance_work_mem; RESET lock_timeout; RESET synchronous_commit";
                session.batch(&format!("{reset}; SET application_name = {name}")).await?;
                session
            }
            None => Session::connect(self.target, &name).await?,
        };
        if work == Work::Indexes {
            session.batch(&format!("SET maintenance_work_mem = '{}'", self.maintenance_work_mem)).await?;
        }
        Ok(session)
    }

    /// Takes a session back whose work is done; one whose work has failed is to be dropped instead.
    pub(crate) async fn give_back(&self, session: Session) {
        self.rest.lock().await.push(session);
    }
}
