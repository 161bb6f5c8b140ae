//! Tables that are copied while the move has come to follow the source already: new ones, and those that are copied
//! again. Following rests meanwhile; their changes count from their own snapshot on.
//!
//! They are published before that snapshot's slot is made. The slot waits for every transaction that is open by then, so
//! that whatever a transaction does not publish, because it began before, is in the snapshot. A receiver that spools goes
//! on meanwhile.

use std::collections::BTreeSet;

use atalaya_data::{RelationName, quote_identifier, quote_literal};
use atalaya_postgres::catalog::read_relations;
use atalaya_postgres::fence_slot::{FenceSlot, Lifetime};
use atalaya_postgres::{Session, settings};

use super::connect::Connected;
use super::copy_phase::ensure_snapshot;
use super::given_up::{give_up_unread, go_on_without};
use super::pulse::{beside_standby, open_reading};
use crate::follow::may_be_replica;
use crate::progress::{Migration, Store, TableRow};
use crate::report::{Event, Observer};
use crate::schema::{Addition, Archive, Dump, Ownership};
use crate::silence::{self, ForeignKeys};
use crate::snapshot::Reading;
use crate::{Error, Plan, copy, snapshot};

/// Copies what is not copied yet. New tables that cannot be added are given up, and the move goes on without them.
pub(super) async fn copy_pending(
    plan: &Plan,
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
    observer: &dyn Observer,
) -> Result<(), Error> {
    // A snapshot that is held comes to its end first; what was asked for since has one of its own.
    loop {
        let tables = store.read_tables().await?;
        let are_copied = tables.iter().all(|table| table.done);
        if migration.snapshot.is_none() && are_copied {
            return Ok(());
        }
        // A standby is asked for nothing but rows.
        let opened = match are_copied {
            true => Ok(Reading::source(plan, &connected.source)),
            false => open_reading(plan, &connected.source).await,
        };
        let reading = match opened {
            Ok(reading) => reading,
            Err(error) => {
                give_up_unread(connected, store, migration, tables, error, observer).await?;
                continue;
            }
        };
        let pending = beside_standby(plan, reading.standby_url(), pending(&reading, store, migration)).await?;
        if pending.is_empty() {
            return Ok(());
        }
        copy_these(plan, connected, &reading, store, migration, &pending, observer).await?;
    }
}

async fn copy_these(
    plan: &Plan,
    connected: &Connected,
    reading: &Reading<'_>,
    store: &Store<'_>,
    migration: &mut Migration,
    pending: &[TableRow],
    observer: &dyn Observer,
) -> Result<(), Error> {
    let copied = copy_tables(plan, connected, reading, store, migration, pending, observer).await;
    let Err(error) = copied else { return Ok(()) };
    if error.is_transient() {
        return Err(error);
    }
    go_on_without(connected, store, migration, pending, error, observer).await
}

/// Tables that are not copied, and those that are and whose indexes may not stand yet: the snapshot is kept in mind
/// until they do. Of a snapshot that is held, its own only: others' rows at it are none of their positions.
async fn pending(reading: &Reading<'_>, store: &Store<'_>, migration: &Migration) -> Result<Vec<TableRow>, Error> {
    let tables = store.read_tables().await?;
    let Some(held) = &migration.snapshot else {
        return Ok(tables.into_iter().filter(|table| !table.done).collect());
    };
    let of_snapshot = |table: &TableRow| table.start_lsn == Some(held.lsn);
    let is_needed = tables.iter().any(of_snapshot) && snapshot::is_held(reading, held).await?;
    Ok(tables.into_iter().filter(|table| of_snapshot(table) || (!is_needed && !table.done)).collect())
}

async fn copy_tables(
    plan: &Plan,
    connected: &Connected,
    reading: &Reading<'_>,
    store: &Store<'_>,
    migration: &mut Migration,
    pending: &[TableRow],
    observer: &dyn Observer,
) -> Result<(), Error> {
    let (source, target) = (&connected.source, &connected.target);
    observer.observe(&Event::Phase { phase: "add" });
    store.forget_proofs(pending).await?;
    // One that is copied again may have been made anew on the source, and is published no more then.
    let unpublished = |table: &TableRow| table.added.is_some() || table.publication_entry.is_none();
    if pending.iter().any(|table| unpublished(table) && !table.done) {
        publish(source, migration, pending).await?;
        forget_unpublished(plan, source, migration).await?;
    }
    plan.options.failpoints.reach("addition-published");
    if migration.schema.existing {
        // Before anything of the target is emptied: TRUNCATE and DELETE wake triggers, too.
        silence::switch_off(store, ForeignKeys::Refused, observer).await?;
    }
    let standby = reading.standby_url();
    beside_standby(plan, standby, ensure_snapshot(plan, connected, reading, store, migration, observer)).await?;
    plan.options.failpoints.reach("addition-snapshot");
    let additions: BTreeSet<&str> = pending.iter().filter_map(|table| table.added.as_deref()).collect();
    let mut archives = Vec::new();
    if !migration.schema.existing {
        for name in additions {
            let archive = open_addition(plan, connected, reading, migration, store, name);
            archives.push((name, beside_standby(plan, standby, archive).await?));
        }
    }
    for (name, archive) in &archives {
        Addition { name, archive }.restore_tables(store).await?;
    }
    plan.options.failpoints.reach("addition-restored");
    let Some(held) = migration.snapshot.clone() else { return Err(Error::Broken("a copy has no snapshot")) };
    let sources = async { Ok(read_relations(reading.session()).await?) };
    let sources = beside_standby(plan, standby, sources).await?;
    let targets = read_relations(target).await?;
    let replica = may_be_replica(target).await?;
    let sides = copy::Sides { source, reading, sources: &sources, targets: &targets, replica };
    beside_standby(plan, standby, copy::copy_tables(plan, store, &held, &sides, observer)).await?;
    plan.options.failpoints.reach("addition-copied");
    let builder = Session::connect(&plan.target, &format!("atalaya indexes {}", plan.name)).await?;
    builder.batch(&settings::lock_limit_sql(plan.options.lock_limit)).await?;
    for (name, archive) in &archives {
        Addition { name, archive }.restore_keys(store, &plan.options, &builder).await?;
    }
    for table in pending {
        builder.batch(&format!("VACUUM (ANALYZE) {}", table.target.to_sql())).await?;
    }
    snapshot::release(source, &held).await?;
    store.leave_snapshot().await?;
    migration.snapshot = None;
    plan.options.failpoints.reach("addition-done");
    Ok(())
}

/// The dump of an addition's tables.
pub(crate) async fn open_addition(
    plan: &Plan,
    connected: &Connected,
    reading: &Reading<'_>,
    migration: &Migration,
    store: &Store<'_>,
    name: &str,
) -> Result<Archive, Error> {
    let tools = connected.tools(plan).await?;
    let tables = store.read_tables().await?.into_iter();
    let only: Vec<RelationName> =
        tables.filter(|table| table.added.as_deref() == Some(name)).map(|table| table.source).collect();
    let dump = Dump {
        source: reading.url(),
        snapshot: reading.seen_by(migration),
        only: &only,
        excluded: &[],
        path: plan.options.work_folder.join(format!("{}-added-{name}.dump", migration.slot)),
        ownership: if migration.schema.no_owner { Ownership::Taken } else { Ownership::Kept },
    };
    Archive::dump(tools, dump).await
}

/// Has the source send changes of the tables; those that are published already stay as they are.
async fn publish(source: &Session, migration: &Migration, tables: &[TableRow]) -> Result<(), Error> {
    let comment = quote_literal(&crate::abort::comment_of(&migration.name));
    for (publication, append_only) in [(migration.publication.clone(), false), (migration.append_publication(), true)] {
        let name = quote_identifier(&publication);
        for table in tables.iter().filter(|table| table.append_only == append_only) {
            let row = source
                .query_one(
                    "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $1),
                            EXISTS (SELECT FROM pg_catalog.pg_publication_tables
                                     WHERE pubname = $1 AND schemaname = $2 AND tablename = $3)",
                    &[&publication, &table.source.schema, &table.source.name],
                )
                .await?;
            let (there, published): (bool, bool) = (row.get(0), row.get(1));
            let table = table.source.to_sql();
            let sql = match (there, published) {
                (_, true) => continue,
                (true, false) => format!("ALTER PUBLICATION {name} ADD TABLE ONLY {table}"),
                (false, false) => {
                    let kinds = if append_only { " WITH (publish = 'insert, truncate')" } else { "" };
                    format!(
                        "CREATE PUBLICATION {name} FOR TABLE ONLY {table}{kinds};
                         COMMENT ON PUBLICATION {name} IS {comment}"
                    )
                }
            };
            alter(source, &sql).await?;
        }
    }
    Ok(())
}

/// Changes a publication, without waiting long for a lock that the application's statements would queue behind.
pub(crate) async fn alter(source: &Session, sql: &str) -> Result<(), atalaya_postgres::Error> {
    let altered = source.batch(&format!("BEGIN; SET LOCAL lock_timeout = '10s'; {sql}; COMMIT")).await;
    if altered.is_err() {
        // The error is what counts; a session that is lost has rolled back already.
        let _rolled_back = source.batch("ROLLBACK").await;
    }
    altered
}

/// Makes every walsender ask anew what is published. One that decodes a transaction from before may otherwise keep in
/// mind for good that a table is not (before the minor versions of May 2025), also one that reads the log again. So:
/// when all that began before have ended, the publications are written once more as they are.
pub(crate) async fn forget_unpublished(plan: &Plan, source: &Session, migration: &Migration) -> Result<(), Error> {
    drop(FenceSlot::open(&plan.source, Lifetime::Temporary, plan.options.slot_timeout).await?);
    for (publication, kinds) in [
        (migration.publication.clone(), "insert, update, delete, truncate"),
        (migration.append_publication(), "insert, truncate"),
    ] {
        let sql = format!("ALTER PUBLICATION {} SET (publish = '{kinds}')", quote_identifier(&publication));
        match alter(source, &sql).await {
            Ok(()) => {}
            // There is none of that kind.
            Err(error) if error.sqlstate() == Some("42704") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
