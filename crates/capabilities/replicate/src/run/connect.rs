//! The two sessions of a run, and the lock that makes it the only one.

use std::time::Duration;

use atalaya_postgres::{Session, control};
use tokio::sync::OnceCell;

use crate::progress::Store;
use crate::schema::ClientTools;
use crate::{Direction, Error, Plan};

/// Classifies our advisory locks, so that they meet nobody else's: "atal" in ASCII.
const LOCK_CLASS: i32 = 0x6174_616C;

/// Both sides, with the migration's lock held by the target's session.
pub(crate) struct Connected {
    pub(crate) source: Session,
    pub(crate) target: Session,
    tools: OnceCell<ClientTools>,
}

impl Connected {
    /// Connects both sides and takes the lock.
    ///
    /// # Errors
    /// When another run holds the lock, or a version is not supported.
    pub(crate) async fn open(plan: &Plan) -> Result<Self, Error> {
        let name = format!("atalaya run {}", plan.name);
        let (source, target) = futures_util::future::try_join(
            Session::connect_for_control(&plan.source, &name),
            Session::connect_for_control(&plan.target, &name),
        )
        .await?;
        check_versions(&source, &target, plan.options.direction)?;
        lock(&target, &plan.name).await?;
        end_leftovers(&target, &plan.name, plan.options.direction).await?;
        Ok(Self::of(source, target))
    }

    /// Both sides as somebody has opened them.
    pub(crate) fn of(source: Session, target: Session) -> Self {
        Self { source, target, tools: OnceCell::new() }
    }

    /// pg_dump and pg_restore of the target's version; their versions are asked for once.
    pub(crate) async fn tools(&self, plan: &Plan) -> Result<ClientTools, Error> {
        let find = || {
            ClientTools::find(plan.options.client_tools.as_deref(), &plan.options.program_folders, self.target.major())
        };
        self.tools.get_or_try_init(find).await.cloned()
    }
}

/// How long a backend of a killed run may take to end; an index build is cut short, a commit goes through.
const LEFTOVER_TRIES: u32 = 300;
const LEFTOVER_PAUSE: Duration = Duration::from_millis(100);

/// Ends what a killed run left working on the target, and waits until it is gone.
///
/// A backend notices that its client is dead only when its statement has ended. Until then an index build goes on,
/// which the next run would begin again beside it; worse, a commit on its way may store a position after the next
/// run has read the one before.
///
/// Of the way back's target the forward run reads, in sessions that have nothing to do with it.
async fn end_leftovers(target: &Session, migration: &str, direction: Direction) -> Result<(), Error> {
    const WRITING: &[&str] = &["apply", "control"];
    const ALL: &[&str] = &["copy", "apply", "control", "indexes", "foreign keys", "vacuum", "spool"];
    const LEFT: &str = "FROM pg_catalog.pg_stat_activity
        WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
          AND application_name = ANY (SELECT ('atalaya ' || part || ' ' || $1)::name::text
                                        FROM pg_catalog.unnest($2::text[]) AS part)";
    let parts = match direction {
        Direction::Forward => ALL,
        Direction::Back => WRITING,
    };
    let terminate = format!("SELECT pg_catalog.pg_terminate_backend(pid) {LEFT} AND usename = current_user");
    for attempt in 0..LEFTOVER_TRIES {
        if target.query_one(&format!("SELECT count(*) {LEFT}"), &[&migration, &parts]).await?.get::<_, i64>(0) == 0 {
            return Ok(());
        }
        if attempt == 0 {
            target.query(&terminate, &[&migration, &parts]).await?;
        }
        tokio::time::sleep(LEFTOVER_PAUSE).await;
    }
    Err(Error::refused(
        "earlier-run-ending",
        format!("backends of an earlier run of `{migration}` are still at work on the target"),
        "see pg_stat_activity on the target for `atalaya ...`; start again when they have ended",
    ))
}

fn check_versions(source: &Session, target: &Session, direction: Direction) -> Result<(), Error> {
    for (side, session) in [("source", source), ("target", target)] {
        if !(13..=18).contains(&session.major()) {
            return Err(Error::refused(
                "version-unsupported",
                format!("the {side} is PostgreSQL {}", session.major()),
                "PostgreSQL 13 to 18 are supported",
            ));
        }
    }
    if direction == Direction::Forward && target.major() < source.major() {
        return Err(Error::refused(
            "target-older",
            format!("the target is PostgreSQL {}, the source {}", target.major(), source.major()),
            "move to the same or a later version",
        ));
    }
    Ok(())
}

/// How long the lock of a run that has just ended, or was killed, may take to go: its backend has to notice.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(250);

/// Takes the migration's lock for as long as the session lives.
pub(crate) async fn lock(target: &Session, migration: &str) -> Result<(), Error> {
    let sql = "SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2))";
    for attempt in 0..LOCK_TRIES {
        if attempt > 0 {
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        if target.query_one(sql, &[&LOCK_CLASS, &migration]).await?.get(0) {
            return Ok(());
        }
    }
    Err(Error::refused(
        "already-running",
        format!("migration `{migration}` is running already"),
        "see `atalaya migrate status`; stop it with `atalaya migrate stop` first",
    ))
}

/// Whether a run holds the migration's lock. Only looks: taking the lock to find out would refuse a run that
/// starts at that moment.
pub(crate) async fn is_running(target: &Session, migration: &str) -> Result<bool, Error> {
    let row = target
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l
                              JOIN pg_catalog.pg_database d ON d.oid = l.database
                             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                               AND d.datname = pg_catalog.current_database()
                               AND l.classid = ($1::int4)::oid
                               AND l.objid = (pg_catalog.hashtext($2)::int8 & 4294967295)::oid)",
            &[&LOCK_CLASS, &migration],
        )
        .await?;
    Ok(row.get(0))
}

/// Something that changes whenever a run has got further; none while the target cannot be asked.
pub(super) async fn progress_mark(plan: &Plan) -> Option<String> {
    let session = Session::connect_for_control(&plan.target, "atalaya progress").await.ok()?;
    if !control::is_installed(&session).await.ok()? {
        return None;
    }
    let store = Store { session: &session, name: &plan.name };
    let row = store
        .session
        .query_one(
            "SELECT coalesce((SELECT applied::text FROM atalaya.progress WHERE migration = $1 AND writer = 0), '')
                    || ' ' || (SELECT count(*) FROM atalaya.steps WHERE migration = $1)
                    || ' ' || (SELECT coalesce(sum(copied_rows), 0) FROM atalaya.tables WHERE migration = $1)
                    || ' ' || (SELECT count(*) FROM atalaya.tables WHERE migration = $1 AND state = 'done')",
            &[&store.name],
        )
        .await
        .ok()?;
    Some(row.get(0))
}
