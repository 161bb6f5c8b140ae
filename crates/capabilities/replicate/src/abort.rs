//! `abort`: everything of ours goes from both sides; the target's data only when asked.

use std::collections::BTreeSet;
use std::time::Duration;

use atalaya_data::{quote_identifier, quote_literal};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Session, control};

use crate::ddl::trigger;
use crate::progress::{Store, wait_for_slot};
use crate::silence::{SetBack, set_back, would_set_back};
use crate::{Error, Failpoints, Side, run_lock, snapshot, way_back};

/// How long the backend of a run that ended may take to leave its slot.
const SLOT_PATIENCE: Duration = Duration::from_secs(10);

/// What is to be removed.
#[derive(Clone, Debug)]
pub struct AbortOptions {
    /// The migrated tables on the target too.
    pub drop_target: bool,
    /// The target is gone, or another stands in its place: what the source has under the migration's name goes.
    pub target_gone: bool,
    /// Nothing: what would be removed is only looked up.
    pub dry_run: bool,
    /// Where a test may end the process.
    pub failpoints: Failpoints,
}

/// What was removed, and what could not be reached.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct AbortReport {
    /// Replication slots dropped on the source, and that of the way back on the target.
    pub slots: Vec<String>,
    /// Publications dropped on the source, and those of the way back on the target.
    pub publications: Vec<String>,
    /// Event triggers removed from the source, by the name that theirs begin with.
    pub event_triggers: Vec<String>,
    /// Tables dropped on the target.
    pub tables: Vec<String>,
    /// Triggers and rules of the target that were off for the time of the move, and are as before; of a dry run, would be.
    pub triggers: Vec<String>,
    /// What somebody should look at.
    pub notices: Vec<String>,
    /// Whether our schema was removed from the target.
    pub schema_removed: bool,
    /// Why the target was left as it is, when it could not be reached.
    pub target_unreached: Option<String>,
    /// Whether the target knew nothing of the migration.
    pub unknown: bool,
    /// The server that clients are led to, as far as the target knew the migration. They stay there.
    pub serving: Option<Side>,
    /// Whether all of this is only what would be removed.
    pub dry_run: bool,
}

impl AbortReport {
    /// Adds what was set back.
    pub(crate) fn take(&mut self, set_back: SetBack) {
        self.triggers.extend(set_back.restored);
        self.notices.extend(set_back.told);
    }
}

/// Refuses what [`abort`] would refuse because of a run, before anything is decided.
///
/// # Errors
/// When the target cannot be reached, or the migration is running.
pub async fn refuse_running(target: &ConnectionUrl, migration: &str) -> Result<(), Error> {
    let session = Session::connect_for_control(target, &format!("atalaya abort {migration}")).await?;
    run_lock(&session, migration).await
}

/// Removes slots, publications and our schema; can be repeated, also after a kill between any two steps.
///
/// # Errors
/// When a server cannot be reached (the target only unless it is said to be gone), or the migration is running. Refuses to
/// drop tables that clients have been led to.
pub async fn abort(
    source: &ConnectionUrl,
    target: &ConnectionUrl,
    migration: &str,
    options: AbortOptions,
) -> Result<AbortReport, Error> {
    let name = format!("atalaya abort {migration}");
    let mut report = AbortReport { dry_run: options.dry_run, ..AbortReport::default() };
    let session = match Session::connect_for_control(target, &name).await {
        Ok(session) => Some(session),
        Err(error) if options.target_gone => {
            report.target_unreached = Some(atalaya_data::chain(&error));
            None
        }
        Err(error) => return Err(Error::TargetUnreached(Box::new(error))),
    };
    let known = match &session {
        Some(session) => Store { session, name: migration }.read().await?.map(|found| (session, found)),
        None => None,
    };
    let Some((target, found)) = known else {
        report.unknown = true;
        if options.target_gone {
            let source = Session::connect_for_control(source, &name).await?;
            refuse_connected(&source, migration).await?;
            let names = names_on_source(&source, migration).await?;
            if options.dry_run {
                find_on_source(&source, &names).await?.tell(&mut report);
            } else {
                clean_source(&source, migration, &names, &options.failpoints, &mut report).await?;
                way_back::forget_without_target(&source, migration).await?;
            }
        }
        return Ok(report);
    };
    let store = Store { session: target, name: migration };
    way_back::refuse_taken_name(&store).await?;
    refuse_served(&store, &options).await?;
    report.serving = Some(way_back::serving(&store).await?);
    if options.dry_run {
        let source = Session::connect_for_control(source, &name).await?;
        find_on_source(&source, &[found.slot]).await?.tell(&mut report);
        if let Some(slot) = way_back::slot(&Store { session: target, name: migration }).await? {
            let OnSource { slots, publications, .. } = find_on_source(target, &[slot]).await?;
            report.slots.extend(slots);
            report.publications.extend(publications);
        }
        report.take(would_set_back(&Store { session: target, name: migration }).await?);
        if options.drop_target {
            let tables = Store { session: target, name: migration }.read_tables().await?;
            report.tables = tables.iter().map(|table| table.target.to_string()).collect();
        }
        return Ok(report);
    }
    run_lock(target, migration).await?;
    refuse_served(&store, &options).await?;
    options.failpoints.reach("abort-begun");
    let source = Session::connect_for_control(source, &name).await?;
    way_back::remove_between(&source, target, migration, &options.failpoints, &mut report).await?;
    // The target's row goes last: while it stands, the same command knows what is left.
    clean_source(&source, migration, &[found.slot], &options.failpoints, &mut report).await?;
    report.take(set_back(&Store { session: target, name: migration }).await?);
    if options.drop_target {
        report.tables = drop_tables(target, migration).await?;
    }
    forget(target, migration).await?;
    report.schema_removed = !control::is_installed(target).await?;
    Ok(report)
}

/// Tables that clients are served from are nobody's to drop.
async fn refuse_served(store: &Store<'_>, options: &AbortOptions) -> Result<(), Error> {
    if !options.drop_target {
        return Ok(());
    }
    let remedy = "lead them back first: `atalaya migrate rollback`; without --drop-target the tables stay";
    way_back::refuse_led_over(store, "they are served from the tables that were to be dropped", remedy).await
}

async fn drop_tables(target: &Session, migration: &str) -> Result<Vec<String>, Error> {
    let tables = Store { session: target, name: migration }.read_tables().await?;
    let names: Vec<String> = tables.iter().map(|table| table.target.to_sql()).collect();
    if !names.is_empty() {
        target.batch(&format!("DROP TABLE IF EXISTS {} CASCADE", names.join(", "))).await?;
    }
    Ok(tables.iter().map(|table| table.target.to_string()).collect())
}

/// Without a row that knows it, a run that still lives shows itself only by its sessions on the source.
async fn refuse_connected(source: &Session, migration: &str) -> Result<(), Error> {
    let names = ["run", "copy", "stream"].map(|part| format!("atalaya {part} {migration}"));
    let living: i64 = source
        .query_one(
            "SELECT count(*) FROM pg_catalog.pg_stat_activity
              WHERE application_name = ANY ($1) AND datname = pg_catalog.current_database()",
            &[&names.as_slice()],
        )
        .await?
        .get(0);
    if living == 0 {
        return Ok(());
    }
    Err(Error::refused(
        "already-running",
        format!("{living} sessions of a run of `{migration}` are connected to the source"),
        "stop the run first: `atalaya migrate stop`",
    ))
}

/// Slot, publications and event trigger of a migration have one name; the comments of the two latter say whose they are.
async fn names_on_source(source: &Session, migration: &str) -> Result<Vec<String>, Error> {
    let rows = source
        .query(
            "SELECT pubname::text FROM pg_catalog.pg_publication
              WHERE pg_catalog.obj_description(oid, 'pg_publication') = $1",
            &[&comment_of(migration)],
        )
        .await?;
    // The one of append-only tables may stand alone; the slot is named without it.
    let name = |text: String| text.strip_suffix("_append").map(str::to_owned).unwrap_or(text);
    let mut names: BTreeSet<String> = rows.iter().map(|row| name(row.get(0))).collect();
    names.extend(trigger::names_of(source, migration).await?);
    Ok(names.into_iter().collect())
}

/// What the comment of a migration's publications and of its trigger's function says.
pub(crate) fn comment_of(migration: &str) -> String {
    format!("made by atalaya for the migration {migration}")
}

/// Removes a migration's rows, and our schema with the last of them.
pub(crate) async fn forget(target: &Session, migration: &str) -> Result<(), Error> {
    target.execute("DELETE FROM atalaya.migration WHERE name = $1", &[&migration]).await?;
    let others: i64 = target.query_one("SELECT count(*) FROM atalaya.migration", &[]).await?.get(0);
    if others == 0 {
        control::drop_schema(target).await?;
    }
    Ok(())
}

/// Drops slots and publications of those names, and ends the snapshot's holder.
pub(crate) async fn clean_source(
    source: &Session,
    migration: &str,
    names: &[String],
    failpoints: &Failpoints,
    report: &mut AbortReport,
) -> Result<(), Error> {
    // The slot's own connections and the snapshot's holder first: a slot in use cannot be dropped.
    snapshot::end_holders(source, migration, None).await?;
    let OnSource { slots, publications, event_triggers } = find_on_source(source, names).await?;
    for name in slots {
        if !wait_for_slot(source, &name, SLOT_PATIENCE).await? {
            return Err(Error::refused(
                "slot-active",
                format!("replication slot `{name}` is in use"),
                "stop the migration first: `atalaya migrate stop`",
            ));
        }
        source.query("SELECT pg_catalog.pg_drop_replication_slot($1)", &[&name]).await?;
        report.slots.push(name);
    }
    // Before the publications, by whose comments a migration's names are found, too.
    for name in event_triggers {
        trigger::remove(source, &name, failpoints).await?;
        report.event_triggers.push(name);
    }
    for name in publications {
        source
            .batch(&format!("SET lock_timeout = '10s'; DROP PUBLICATION IF EXISTS {}", quote_identifier(&name)))
            .await?;
        report.publications.push(name);
    }
    // Named for people who read the server's log.
    source.batch(&format!("SET application_name = {}", quote_literal("atalaya"))).await?;
    Ok(())
}

/// What stands on a source.
struct OnSource {
    slots: Vec<String>,
    publications: Vec<String>,
    event_triggers: Vec<String>,
}

impl OnSource {
    fn tell(self, report: &mut AbortReport) {
        let Self { slots, publications, event_triggers } = self;
        (report.slots, report.publications, report.event_triggers) = (slots, publications, event_triggers);
    }
}

/// What is there under those names.
async fn find_on_source(source: &Session, names: &[String]) -> Result<OnSource, Error> {
    let event_triggers = trigger::find(source, names).await?;
    let slots = source
        .query(
            "SELECT slot_name::text FROM pg_catalog.pg_replication_slots
              WHERE slot_name = ANY ($1) AND database = pg_catalog.current_database()",
            &[&names],
        )
        .await?;
    let publications = source
        .query(
            "SELECT pubname::text FROM pg_catalog.pg_publication
              WHERE pubname = ANY ($1) OR pubname = ANY (SELECT name || '_append' FROM unnest($1::text[]) AS name)",
            &[&names],
        )
        .await?;
    let names = |rows: &[atalaya_postgres::Row]| rows.iter().map(|row| row.get(0)).collect();
    Ok(OnSource { slots: names(&slots), publications: names(&publications), event_triggers })
}
