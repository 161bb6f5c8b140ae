//! One operation on a move at a time: leading its clients elsewhere, ending it, making or removing its way back.
//!
//! A lock that a session holds, so that whoever is killed lets go of it. Whoever ends the move, or changes its way back, holds
//! it on the target. Whoever leads clients holds it on both servers, and may be frozen, or be cut off, while another process
//! goes on with what it has left: that one ends its sessions first. So everything that must not be done late is done by these
//! sessions, and what a server was still doing for the former holder is over when the lock is another one's.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;

use crate::way_back::{Side, write_serving};
use crate::{Error, Plan};

/// Classifies our advisory locks of operations, so that they meet nobody else's: "oper" in ASCII.
const LOCK_CLASS: i32 = 0x6F70_6572;
/// How the sessions of those who lead clients are known from others.
const LEADING: &str = "atalaya leading";
/// How long the lock of a process that was just killed may take to go: its backend has to notice.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// Held by whoever ends a move, or changes its way back, until it is dropped, or its session is lost.
pub struct OperationLock {
    target: Session,
    migration: String,
}

impl OperationLock {
    /// Begins one. What the journal says of the move's clients has to be read behind this.
    ///
    /// # Errors
    /// Refuses by name while another one goes on.
    pub async fn begin(target: &ConnectionUrl, migration: &str) -> Result<Self, Error> {
        let target = Session::connect_for_control(target, &format!("atalaya operation {migration}")).await?;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            if try_lock(&target, migration).await? {
                return Ok(Self { target, migration: migration.to_owned() });
            }
        }
        Err(occupied(migration))
    }

    /// Whether it is held still. Without its session others may have led clients elsewhere since.
    ///
    /// # Errors
    /// Refuses by name where that is lost.
    pub async fn stands(&self) -> Result<(), Error> {
        self.target.batch("SELECT").await.map_err(|error| self.lost(&error))
    }

    /// The session that holds it. What is done by it is done by nobody who has lost the lock.
    pub(crate) fn session(&self) -> &Session {
        &self.target
    }

    fn lost(&self, error: &atalaya_postgres::Error) -> Error {
        Error::refused(
            "operation-lost",
            format!(
                "the session on the target that keeps the move `{}` from others was lost: {}",
                self.migration,
                atalaya_data::chain(error)
            ),
            "look at where clients are led (`atalaya migrate status`), then run the same command again",
        )
    }
}

/// Held by whoever leads a move's clients, until it is dropped or another one takes it.
pub struct Leading {
    source: Session,
    target: Session,
}

impl Leading {
    /// Takes the lead, from another process that holds it, too: for whoever has made sure that this one is not to go on.
    ///
    /// # Errors
    /// Refuses by name while somebody ends the move, or changes its way back.
    pub async fn take(plan: &Plan) -> Result<Self, Error> {
        let name = format!("{LEADING} {}", plan.name);
        let target = Session::connect_for_control(&plan.target, &name).await?;
        take_lock(&target, &plan.name).await?;
        let source = Session::connect_for_control(&plan.source, &name).await?;
        take_lock(&source, &plan.name).await?;
        Ok(Self { source, target })
    }

    /// Whether it was not taken by another one since.
    ///
    /// # Errors
    /// When it was, or a server does not answer.
    pub async fn stands(&self) -> Result<(), Error> {
        tokio::try_join!(self.source.batch("SELECT"), self.target.batch("SELECT"))?;
        Ok(())
    }

    /// The session on one side. What is done by it is done by nobody who has lost the lead.
    #[must_use]
    pub fn session(&self, side: Side) -> &Session {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// Writes down which server clients are led to: nothing sets that one's sequences any more, and `finish` goes by it. That
    /// holds whether or not there is a way back.
    ///
    /// # Errors
    /// Refuses by name where the target knows no such migration.
    pub async fn serve(&self, migration: &str, side: Side) -> Result<(), Error> {
        write_serving(&self.target, migration, side).await
    }
}

async fn try_lock(session: &Session, migration: &str) -> Result<bool, Error> {
    let sql = "SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2))";
    Ok(session.query_one(sql, &[&LOCK_CLASS, &migration]).await?.get(0))
}

/// Ends the session of whoever leads clients by the same lock; of others the end is waited for.
async fn take_lock(session: &Session, migration: &str) -> Result<(), Error> {
    let end = "SELECT pg_catalog.pg_terminate_backend(l.pid)
                 FROM pg_catalog.pg_locks l
                 JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
                 JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
                WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = ($1::int4)::oid
                  AND l.objid = (pg_catalog.hashtext($2)::int8 & 4294967295)::oid
                  AND pg_catalog.starts_with(a.application_name, $3)";
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if try_lock(session, migration).await? {
            return Ok(());
        }
        session.query(end, &[&LOCK_CLASS, &migration, &LEADING]).await?;
    }
    Err(occupied(migration))
}

fn occupied(migration: &str) -> Error {
    Error::refused(
        "another-operation",
        format!("another command is at work on the move `{migration}`"),
        "wait until it has ended: it leads clients elsewhere, ends the move, or changes its way back",
    )
}
