//! Where the copy's rows and the schema's dump are read from: the source itself, or a physical standby that spares it.
//!
//! Only what the snapshot shows is read there. Changes, sequences and everything that a decision stands on are the
//! source's own, with one exception: whoever judges the snapshot, or a table as the snapshot shows it, asks where it is.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::standby::{StandbyState, Unfit, catch_up, judge};

use crate::progress::{Migration, StoredSnapshot};
use crate::report::{Event, Observer};
use crate::{Error, Plan};

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
        Err(Error::refused(Unfit::Foreign.code(), seen, Unfit::Foreign.remedy()))
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

async fn refuse_unfit(standby: &Session, source: &Session) -> Result<StandbyState, Error> {
    let (state, unfit) = judge(standby, source).await?;
    match unfit.first() {
        None => Ok(state),
        Some(unfit) => Err(Error::refused(unfit.code(), unfit.to_string(), unfit.remedy())),
    }
}
