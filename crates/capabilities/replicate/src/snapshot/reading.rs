//! Where the copy's rows and the schema's dump are read from: the source itself, or a physical standby that spares it.
//!
//! Only what the snapshot shows is read there. Changes, sequences and everything that a decision stands on are the
//! source's own, with one exception: whoever judges the snapshot, or a table as the snapshot shows it, asks where it is.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::read_identity;
use atalaya_postgres::standby::{StandbyState, catch_up, read_standby};

use crate::progress::{Migration, StoredSnapshot};
use crate::report::{Event, Observer};
use crate::{Error, Plan};

/// The first version that makes logical slots on standbys.
const STANDBYS_FROM: u32 = 16;

/// The server that rows are read from.
pub(crate) enum Reading<'a> {
    /// The source.
    Source { session: &'a Session, url: &'a ConnectionUrl },
    /// A standby of it.
    Standby { session: Box<Session>, url: &'a ConnectionUrl, state: StandbyState },
}

impl<'a> Reading<'a> {
    /// The source, whatever the plan says.
    pub(crate) fn source(plan: &'a Plan, session: &'a Session) -> Self {
        Self::Source { session, url: &plan.source }
    }

    /// The server that the plan names.
    ///
    /// # Errors
    /// Refuses a standby that cannot serve: see `docs/what-moves.md`.
    pub(crate) async fn open(plan: &'a Plan, source: &'a Session) -> Result<Self, Error> {
        let Some(url) = &plan.options.snapshot_from else { return Ok(Self::source(plan, source)) };
        let session = Session::connect_for_control(url, &format!("atalaya run {}", plan.name)).await?;
        let state = refuse_unfit(&session, source).await?;
        Ok(Self::Standby { session: Box::new(session), url, state })
    }

    /// Where questions about the snapshot are asked.
    pub(crate) fn session(&self) -> &Session {
        match self {
            Self::Source { session, .. } => session,
            Self::Standby { session, .. } => session,
        }
    }

    /// Where copies and dumps connect to.
    pub(crate) fn url(&self) -> &'a ConnectionUrl {
        match self {
            Self::Source { url, .. } | Self::Standby { url, .. } => url,
        }
    }

    /// The standby's URL, where it is one.
    pub(crate) fn standby_url(&self) -> Option<&'a ConnectionUrl> {
        match self {
            Self::Source { .. } => None,
            Self::Standby { url, .. } => Some(url),
        }
    }

    /// What it is, in a sentence.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Source { .. } => "source",
            Self::Standby { .. } => "standby",
        }
    }

    /// Whether a snapshot is held on a server of this kind.
    pub(crate) fn is_place_of(&self, snapshot: &StoredSnapshot) -> bool {
        snapshot.standby.is_some() == self.standby_url().is_some()
    }

    /// The snapshot of a migration that a dump of this server can see.
    pub(crate) fn seen_by<'m>(&self, migration: &'m Migration) -> Option<&'m str> {
        migration.snapshot.as_ref().filter(|held| self.is_place_of(held)).map(|held| held.name.as_str())
    }

    /// Sees to it that a new snapshot is from after everything that was made on the source, before anybody waits for one.
    ///
    /// # Errors
    /// Refuses a standby that stays behind.
    pub(crate) async fn catch_up(&self, plan: &Plan, source: &Session, observer: &dyn Observer) -> Result<(), Error> {
        let Self::Standby { session, state, .. } = self else { return Ok(()) };
        reach(session, &plan.source, source, plan.options.slot_timeout).await?;
        if !state.feedback {
            observer.observe(&Event::Warning {
                text: "hot_standby_feedback is off on the standby: a vacuum on the source may end the copy's snapshot, upon \
                       which tables that are not finished are copied anew"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Proves that the standby replays this very source: identifiers are a restored clone's, too, but the publication, which
    /// has a random name and was made for this move, is not.
    ///
    /// # Errors
    /// Refuses another server's standby, and one that stays behind.
    pub(crate) async fn prove(&self, plan: &Plan, source: &Session, migration: &Migration) -> Result<(), Error> {
        let Self::Standby { session, .. } = self else { return Ok(()) };
        reach(session, &plan.source, source, plan.options.slot_timeout).await?;
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname IN ($1, $2))";
        let (name, appended) = (&migration.publication, migration.append_publication());
        if session.query_one(sql, &[name, &appended]).await?.get(0) {
            return Ok(());
        }
        let seen =
            "it has not what was made on the source for this move: it is the standby of another server, be it a clone";
        Err(Error::refused("standby-foreign", seen, FOREIGN))
    }

    /// One table's failed copy.
    pub(crate) fn copy_failed(&self, relation: atalaya_data::RelationName, error: atalaya_postgres::Error) -> Error {
        let source = Box::new(error);
        match (self, source.sqlstate()) {
            // A standby has no other reason for it: nothing is written there.
            (Self::Standby { .. }, Some("40001")) => Error::RecoveryConflict { relation, source },
            _ => Error::Copy { relation, source },
        }
    }
}

/// Waits until the standby has all that the source has written by now.
pub(super) async fn reach(
    standby: &Session,
    primary: &ConnectionUrl,
    source: &Session,
    limit: Duration,
) -> Result<Lsn, Error> {
    catch_up(standby, primary, source, limit).await.map_err(|error| match error {
        atalaya_postgres::Error::StandbyBehind { .. } => {
            Error::refused("standby-behind", error.to_string(), error.hint().unwrap_or_default())
        }
        error => error.into(),
    })
}

const OTHERWISE: &str =
    "name another standby with `--snapshot-from`, or start without it to read from the source itself";

const FOREIGN: &str = "check the URL of `--snapshot-from`";

async fn refuse_unfit(standby: &Session, source: &Session) -> Result<StandbyState, Error> {
    let refused = |code, seen: String, hint: &str| Err(Error::refused(code, seen, hint));
    if standby.major() < STANDBYS_FROM {
        let seen = format!("the standby is PostgreSQL {}; standbys make logical slots from 16 on", standby.major());
        return refused("standby-version", seen, "start without `--snapshot-from`");
    }
    let state = read_standby(standby).await?;
    if !state.in_recovery {
        let seen = "the server that rows shall be read from is no standby, or was promoted".to_owned();
        return refused("standby-not-in-recovery", seen, OTHERWISE);
    }
    let (here, there) = (read_identity(standby).await?, read_identity(source).await?);
    if (here.system_identifier, &here.database, here.database_oid)
        != (there.system_identifier, &there.database, there.database_oid)
    {
        let seen = "it is the standby of another server, or the URL names another database".to_owned();
        return refused("standby-foreign", seen, FOREIGN);
    }
    if state.timeline != there.timeline {
        let seen = format!("the standby follows timeline {}, the source is on {}", state.timeline, there.timeline);
        return refused("standby-timeline", seen, OTHERWISE);
    }
    if state.wal_level != "logical" {
        let seen = format!("wal_level of the standby is `{}`, and it makes no logical slot", state.wal_level);
        return refused("standby-wal-level", seen, "set wal_level = logical on the standby, too, and restart it");
    }
    if !state.may_replicate {
        let seen = "the role of `--snapshot-from` may not make a slot".to_owned();
        return refused(
            "standby-role",
            seen,
            "give it the attribute REPLICATION on the source (on RDS: `GRANT rds_replication`)",
        );
    }
    Ok(state)
}
