//! From the slot to a target that holds the snapshot, with its keys.

use std::io::Write;

use atalaya_data::RelationName;
use atalaya_postgres::catalog::{read_relations, read_sequences};
use atalaya_postgres::settings;
use futures_util::future::{join3, try_join, try_join3};

use super::connect::Connected;
use super::pulse::{beside_standby, open_reading};
use crate::ddl::read_definitions;
use crate::follow::may_be_replica;
use crate::progress::{Migration, Phase, Store, StoredSnapshot, TableRow};
use crate::report::{Event, Observer};
use crate::schema::{self, Archive, Builders, Dump, ForeignKeyRestore, IndexBuild, Ownership, Work};
use crate::silence::{self, ForeignKeys};
use crate::snapshot::{self, HoldRequest, Reading};
use crate::{Error, Plan, copy};

/// Restores the schema, copies every table, builds keys and indexes; each step only where it is not done.
pub(crate) async fn copy(
    plan: &Plan,
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
    observer: &dyn Observer,
) -> Result<(), Error> {
    // A standby is asked for nothing but rows: without any left, one that is gone keeps nobody from the rest.
    let reading = match store.read_tables().await?.iter().all(|table| table.done) {
        true => Reading::source(plan, &connected.source),
        false => open_reading(plan, &connected.source).await?,
    };
    if migration.schema.existing {
        // Before anything of the target is emptied: TRUNCATE and DELETE wake triggers, too.
        silence::switch_off(store, ForeignKeys::Refused, observer).await?;
        plan.options.failpoints.reach("triggers-off");
    }
    let standby = reading.standby_url();
    let snapshot = ensure_snapshot(plan, connected, &reading, store, migration, observer);
    beside_standby(plan, standby, snapshot).await?;
    let tables = store.read_tables().await?;
    let archive = match migration.schema.existing {
        true => None,
        false => {
            let opening = open_archive(plan, connected, &reading, migration);
            let roles = schema::roles_as_sql(&connected.source, &connected.target);
            let (archive, roles) = try_join(beside_standby(plan, standby, opening), roles).await?;
            observer.observe(&Event::Phase { phase: "schema" });
            list_roles(plan, &roles, observer)?;
            Some(archive)
        }
    };
    let builders = Builders::new(&plan.target, &plan.name, &plan.options.maintenance_work_mem);
    // Asked while the target works.
    let sources = async {
        match tables.iter().all(|table| table.done) {
            true => Ok(Vec::new()),
            false => {
                let sources = async { Ok(read_relations(reading.session()).await?) };
                beside_standby(plan, standby, sources).await
            }
        }
    };
    let (indexes, sources) = match &archive {
        None => (None, sources.await?),
        Some(archive) => {
            let restored = schema::restore_before_data(archive, store);
            let planned = IndexBuild::plan(archive, &connected.source, store, &builders, &plan.options, observer);
            // The restore to its end in any case: whoever tries again must not meet it.
            let (restored, planned, sources) = join3(restored, planned, sources).await;
            restored?;
            plan.options.failpoints.reach("schema-restored");
            (Some(planned?), sources?)
        }
    };
    if tables.iter().any(|table| !table.done) {
        let Some(held) = migration.snapshot.clone() else {
            return Err(Error::Broken("a copy has no snapshot"));
        };
        observer.observe(&Event::Phase { phase: "copy" });
        let targets = read_relations(&connected.target).await?;
        let sides = copy::Sides {
            source: &connected.source,
            reading: &reading,
            sources: &sources,
            targets: &targets,
            replica: may_be_replica(&connected.target).await?,
        };
        let rows = Rows { plan, store, held: &held, sides };
        rows.bring(indexes.as_ref(), &tables, observer).await?;
    }
    plan.options.failpoints.reach("rows-copied");
    if let Some(held) = &migration.snapshot {
        snapshot::release(&connected.source, held).await?;
    }
    observer.observe(&Event::Phase { phase: "indexes" });
    if let (Some(archive), Some(indexes)) = (&archive, &indexes) {
        indexes.finish().await?;
        restore_early_keys(plan, store, archive, &builders).await?;
    }
    plan.options.failpoints.reach("indexes-built");
    vacuum(plan, store, &builders).await?;
    plan.options.failpoints.reach("vacuumed");
    store.enter_stream().await?;
    migration.phase = Phase::Stream;
    migration.snapshot = None;
    Ok(())
}

/// Restores foreign keys where the rows obey them already, and changes will not be held to them.
async fn restore_early_keys(
    plan: &Plan,
    store: &Store<'_>,
    archive: &Archive,
    builders: &Builders<'_>,
) -> Result<(), Error> {
    let uniform = store.read_tables().await?.windows(2).all(|pair| match pair {
        [one, other] => one.start_lsn == other.start_lsn,
        _ => true,
    });
    // Tables of different snapshots agree with each other only once the stream has brought them together.
    if uniform && may_be_replica(store.session).await? {
        let keys = ForeignKeyRestore { archive, store, builders, options: &plan.options, prefix: "" };
        schema::restore_foreign_keys(&keys).await?;
        plan.options.failpoints.reach("foreign-keys-restored");
    }
    Ok(())
}

/// What the copy of rows is made from.
struct Rows<'a> {
    plan: &'a Plan,
    store: &'a Store<'a>,
    held: &'a StoredSnapshot,
    sides: copy::Sides<'a>,
}

impl Rows<'_> {
    /// Copies them; where there are indexes to build, these meanwhile.
    async fn bring(
        &self,
        indexes: Option<&IndexBuild<'_>>,
        tables: &[TableRow],
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        match indexes {
            None => self.copy(observer).await,
            Some(indexes) => self.copy_while_building(indexes, tables, observer).await,
        }
    }

    async fn copy(&self, observer: &dyn Observer) -> Result<(), Error> {
        let copied = copy::copy_tables(self.plan, self.store, self.held, &self.sides, observer);
        beside_standby(self.plan, self.sides.reading.standby_url(), copied).await
    }

    /// The same, while indexes of tables that are copied are built beside.
    async fn copy_while_building(
        &self,
        indexes: &IndexBuild<'_>,
        tables: &[TableRow],
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let (copied, copied_tables) = tokio::sync::mpsc::unbounded_channel();
        let announcing = schema::Announcing { observer, copied };
        tables.iter().filter(|table| table.done).for_each(|table| announcing.tell(&table.source));
        let copying = async {
            // Moved in here: that it goes with the copy tells the builders that no more tables come.
            let announcing = announcing;
            self.copy(&announcing).await
        };
        try_join(copying, indexes.follow_copy(copied_tables)).await?;
        Ok(())
    }
}

/// The dump of this migration's schema, made at the snapshot where one is held.
pub(crate) async fn open_archive(
    plan: &Plan,
    connected: &Connected,
    reading: &Reading<'_>,
    migration: &Migration,
) -> Result<Archive, Error> {
    let relations = async { Ok(read_relations(&connected.source).await?) };
    let sequences = async { Ok(read_sequences(&connected.source).await?) };
    let (tools, relations, sequences) = try_join3(connected.tools(plan), relations, sequences).await?;
    let excluded: Vec<RelationName> = relations
        .into_iter()
        .filter(|relation| !relation.chosen_by(&plan.tables))
        .map(|relation| relation.name)
        .chain(
            // A serial column's sequence is an object of its own to pg_dump, and stays behind with its table.
            sequences
                .into_iter()
                .filter(|sequence| sequence.owner.is_some() && !sequence.chosen_by(&plan.tables))
                .map(|sequence| sequence.name),
        )
        .collect();
    let ownership = if migration.schema.no_owner { Ownership::Taken } else { Ownership::Kept };
    let folder = &plan.options.work_folder;
    let archive = Archive::dump(
        tools,
        Dump {
            source: reading.url(),
            snapshot: reading.seen_by(migration),
            only: &[],
            excluded: &excluded,
            // Named by the slot: an earlier migration of the same name had another schema.
            path: folder.join(format!("{}.dump", migration.slot)),
            ownership,
        },
    )
    .await?;
    Ok(archive)
}

/// Writes down what a dump of one database does not hold, as SQL for an administrator.
fn list_roles(plan: &Plan, roles: &[String], observer: &dyn Observer) -> Result<(), Error> {
    if roles.is_empty() {
        return Ok(());
    }
    let path = plan.options.work_folder.join("roles.sql");
    let written =
        schema::create_private(&path).and_then(|mut file| file.write_all((roles.join("\n") + "\n").as_bytes()));
    written.map_err(|source| Error::File { action: "write", path: path.display().to_string(), source })?;
    observer.observe(&Event::Warning {
        text: format!(
            "roles, memberships and settings are not part of a database's dump: {} statements for the target are in `{}`",
            roles.len(),
            path.display()
        ),
    });
    Ok(())
}

/// Sees to it that a snapshot is held while tables are left to copy; a dead holder's tables begin anew.
pub(super) async fn ensure_snapshot(
    plan: &Plan,
    connected: &Connected,
    reading: &Reading<'_>,
    store: &Store<'_>,
    migration: &mut Migration,
    observer: &dyn Observer,
) -> Result<(), Error> {
    if store.read_tables().await?.iter().all(|table| table.done) {
        return Ok(());
    }
    if let Some(held) = &migration.snapshot
        && snapshot::is_held(reading, held).await?
    {
        return Ok(());
    }
    if let Some(held) = &migration.snapshot {
        let why = match reading.is_place_of(held) {
            true => "the snapshot's holder is gone",
            false => "the snapshot is held on another server than rows are read from now",
        };
        observer.observe(&Event::Warning {
            text: format!("{why}: tables that are not finished are copied anew from a new snapshot"),
        });
    }
    reading.catch_up(plan, &connected.source, observer).await?;
    reading.prove(plan, &connected.source, migration).await?;
    snapshot::end_holders(&connected.source, &plan.name, None).await?;
    store.write_definitions(&read_definitions(&connected.source).await?).await?;
    let request = HoldRequest::new(plan, reading, None);
    let held = match snapshot::start_holder(&plan.options.holder, &request).await {
        Ok(held) => held,
        Err(error) => {
            // One that has not answered in time may be at it still.
            snapshot::end_holders(&connected.source, &plan.name, None).await?;
            return Err(error);
        }
    };
    plan.options.failpoints.reach("snapshot-made");
    store.replace_snapshot(&held, &copy::referenced(store.session).await?).await?;
    migration.snapshot = Some(held);
    Ok(())
}

/// Statistics and visibility map, before anybody plans a query on the new tables.
async fn vacuum(plan: &Plan, store: &Store<'_>, builders: &Builders<'_>) -> Result<(), Error> {
    const STEP: &str = "vacuum analyze";
    if store.has_step(STEP).await? {
        return Ok(());
    }
    let tables = store.read_tables().await?;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = || async {
        let session = builders.take(Work::Vacuum).await?;
        // The step's own commit waits for the target's disk, and takes these along.
        let limit = settings::lock_limit_sql(plan.options.lock_limit);
        session.batch(&format!("SET synchronous_commit = off; {limit}")).await?;
        while let Some(table) = tables.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            // Its indexes were built a moment ago: there is nothing in them to share out to processes of their own.
            session.batch(&format!("VACUUM (ANALYZE, PARALLEL 0) {}", table.target.to_sql())).await?;
        }
        builders.give_back(session).await;
        Ok::<(), Error>(())
    };
    let workers = plan.options.index_workers.max(1).min(tables.len());
    futures_util::future::try_join_all((0..workers).map(|_| worker())).await?;
    store.session.batch(&store.step_sql(STEP)).await?;
    Ok(())
}
