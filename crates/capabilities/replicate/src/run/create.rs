//! A new migration: its row, its publications, its slot with the snapshot that the copy reads.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use atalaya_catalog::{Relation, RelationKind};
use atalaya_data::{RelationName, quote_identifier, quote_literal};
use atalaya_postgres::Session;
use atalaya_postgres::catalog::{read_identity, read_relations};
use futures_util::future::{join, join4};
use rand::RngExt;

use super::connect::Connected;
use super::mapping::Mapper;
use crate::conflict::refuse_policies;
use crate::ddl::read_definitions;
use crate::ddl::trigger;
use crate::follow::{append_only_counts, store_counts};
use crate::progress::{Migration, Phase, SchemaChoice, Store, wait_for_slot};
use crate::report::{Event, Observer};
use crate::snapshot::{self, HoldRequest, Reading};
use crate::{DdlTrigger, Error, Plan};

/// How long the backend that made a slot for a killed run may take to leave it.
const LEFTOVER_PATIENCE: Duration = Duration::from_secs(10);

/// A migration that was written down, with the tables that were chosen for it.
pub(super) struct Created {
    pub(super) migration: Migration,
    pub(super) tables: Vec<Relation>,
}

/// Writes the migration's row, after everything that can be refused without touching anything.
pub(super) async fn create(plan: &Plan, connected: &Connected, store: &Store<'_>) -> Result<Created, Error> {
    refuse_same_database(connected).await?;
    Reading::open(plan, &connected.source).await?;
    let existing = plan.options.existing_schema;
    let tools = async { if existing { Ok(()) } else { connected.tools(plan).await.map(|_| ()) } };
    let on_target = async { if existing { Ok(Vec::new()) } else { read_relations(&connected.target).await } };
    // Both servers and the programs at once; what each says is judged in the order that it was always refused in.
    let (tables, tools, on_target, identity) =
        join4(select_tables(plan, &connected.source), tools, on_target, read_identity(&connected.source)).await;
    let tables = tables?;
    if let Some(rules) = &plan.options.conflicts {
        refuse_policies(rules, tables.iter())?;
    }
    let schema = SchemaChoice { existing, no_owner: plan.options.no_owner };
    if schema.existing {
        let mapper = Mapper::read(&connected.source, &connected.target, &[]).await?;
        let mapped = mapper.map(&tables)?;
        mapper.refuse_unfit(&mapped)?;
        refuse_rows(&connected.target, mapped.into_values()).await?;
    } else {
        // Before anything is made on the source: without them the move could not go on after the slot.
        tools?;
        refuse_filled_target(&on_target?, &tables)?;
        if !schema.no_owner {
            refuse_lost_owners(connected).await?;
        }
    }
    let slot = plan.id.slot_name();
    if plan.options.ddl_trigger == DdlTrigger::Made {
        trigger::try_out(&connected.source, &slot, &plan.name).await?;
    }
    let migration = Migration {
        name: plan.name.to_string(),
        identity: identity?,
        publication: slot.clone(),
        slot,
        phase: Phase::Created,
        snapshot: None,
        schema,
        given_up: None,
        ddl_trigger: false,
    };
    store.create(&migration, plan.options.wal_limit).await?;
    plan.options.failpoints.reach("migration-written");
    Ok(Created { migration, tables })
}

/// Advisory locks belong to one database of one server: a lock that the target cannot have is the source's.
/// Identifiers would not tell, since a restored clone keeps them.
async fn refuse_same_database(connected: &Connected) -> Result<(), Error> {
    let probe: i64 = rand::rng().random();
    connected.source.query("SELECT pg_catalog.pg_advisory_lock($1)", &[&probe]).await?;
    let free = connected.target.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&probe]).await?;
    connected.source.query("SELECT pg_catalog.pg_advisory_unlock($1)", &[&probe]).await?;
    if !free.get::<_, bool>(0) {
        return Err(Error::refused("same-database", "source and target are the same database", "check both URLs"));
    }
    connected.target.query("SELECT pg_catalog.pg_advisory_unlock($1)", &[&probe]).await?;
    Ok(())
}

/// Tables that can be followed, as the plan's patterns choose them.
pub(crate) async fn chosen_tables(plan: &Plan, source: &Session) -> Result<Vec<Relation>, Error> {
    let relations = read_relations(source).await?.into_iter();
    Ok(relations
        .filter(|relation| relation.kind == RelationKind::Table && relation.extension.is_none())
        .filter(|relation| relation.chosen_by(&plan.tables))
        .collect())
}

/// Tables that the plan selects and that hold rows; unlogged and foreign ones cannot be followed.
async fn select_tables(plan: &Plan, source: &Session) -> Result<Vec<Relation>, Error> {
    let selected = chosen_tables(plan, source).await?;
    if selected.is_empty() {
        return Err(Error::refused(
            "nothing-selected",
            "no table of the source matches the patterns",
            "see the tables with `\\dt *.*` in psql, and the patterns in the estate file or `--tables`",
        ));
    }
    refuse_unidentified(plan, &selected)?;
    Ok(selected)
}

/// Refuses tables whose updates and deletes could not be followed.
pub(crate) fn refuse_unidentified<'a>(
    plan: &Plan,
    tables: impl IntoIterator<Item = &'a Relation>,
) -> Result<(), Error> {
    let lost: Vec<String> = tables
        .into_iter()
        .filter(|relation| !relation.followable && !relation.chosen_by(&plan.append_only))
        .map(|relation| relation.name.to_string())
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "identity-missing",
        format!("updates and deletes of {} could not be followed", lost.join(", ")),
        "give each a primary key or `ALTER TABLE ... REPLICA IDENTITY FULL` (see `atalaya assess`), exclude it, or \
         declare it append-only",
    ))
}

fn refuse_filled_target(on_target: &[Relation], tables: &[Relation]) -> Result<(), Error> {
    let existing: BTreeSet<&RelationName> = on_target.iter().map(|relation| &relation.name).collect();
    let found: Vec<String> =
        tables.iter().filter(|table| existing.contains(&table.name)).map(|table| table.name.to_string()).collect();
    if found.is_empty() {
        return Ok(());
    }
    let shown = found.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    Err(Error::refused(
        "target-not-empty",
        format!("{} of the tables exist on the target already: {shown}", found.len()),
        "move into an empty database, or use the tables that are there with `--existing-schema`",
    ))
}

/// The copy empties the tables that it fills: rows that stand there would be lost.
pub(crate) async fn refuse_rows(target: &Session, tables: impl IntoIterator<Item = RelationName>) -> Result<(), Error> {
    let tables: BTreeSet<RelationName> = tables.into_iter().collect();
    let mut filled = Vec::new();
    for name in tables {
        let sql = format!("SELECT EXISTS (SELECT FROM {})", name.to_sql());
        if target.query_one(&sql, &[]).await?.get(0) {
            filled.push(name.to_string());
        }
    }
    if filled.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "target-holds-rows",
        format!("tables of the target hold rows, which the copy would remove: {}", filled.join(", ")),
        "make sure that nobody needs these rows, TRUNCATE the tables, then start again",
    ))
}

async fn refuse_lost_owners(connected: &Connected) -> Result<(), Error> {
    let lost = crate::schema::lost_owners(&connected.source, &connected.target).await?;
    if lost.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "owners-missing",
        format!("objects cannot be given to the roles they belong to: {}", lost.join(", ")),
        "make these roles on the target and the target's role a member of them (see `atalaya assess`), or let \
         everything belong to the target's role, without privileges, with `--no-owner`",
    ))
}

/// Makes publications and slot, and stores the position that matches the snapshot. Whatever an earlier run
/// left half made under the same random name holds no position yet and is made anew. `chosen` are the tables of a migration
/// that was written down just now.
pub(super) async fn open_slot(
    plan: &Plan,
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
    chosen: Option<Vec<Relation>>,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let reading = Reading::open(plan, &connected.source).await?;
    reading.catch_up(plan, &connected.source, observer).await?;
    let tables = match chosen {
        Some(tables) => tables,
        None => select_tables(plan, &connected.source).await?,
    };
    let targets = match migration.schema.existing {
        true => Mapper::read(&connected.source, &connected.target, &[]).await?.map(&tables)?,
        false => HashMap::new(),
    };
    let rows: Vec<(&Relation, RelationName, bool)> = tables
        .iter()
        .map(|table| {
            let target = targets.get(&table.name).cloned().unwrap_or_else(|| table.name.clone());
            (table, target, !table.followable)
        })
        .collect();
    // Read before the snapshot, written beside it: none of it counts before the position is stored.
    let counts = append_only_counts(&connected.source).await?;
    let definitions = read_definitions(&connected.source).await?;
    drop_leftovers(&connected.source, migration).await?;
    publish(&connected.source, migration, &tables).await?;
    if let Err(error) = reading.prove(plan, &connected.source, migration).await {
        drop_leftovers(&connected.source, migration).await?;
        return Err(error);
    }
    warn_of_open_transactions(&connected.source, observer).await?;
    let request = HoldRequest::new(plan, &reading, Some(&migration.slot));
    let writing = async {
        store.write_tables(&rows).await?;
        store_counts(store, &counts).await?;
        store.write_definitions(&definitions).await
    };
    // Both to their ends: a holder that nobody waits for would be left behind.
    let (written, held) = join(writing, snapshot::start_holder(&plan.options.holder, &request)).await;
    let held = match written.and(held) {
        Ok(held) => held,
        Err(error) => {
            // The slot may be there already, and would keep the source's log for whoever starts again, or never does.
            drop_leftovers(&connected.source, migration).await?;
            return Err(error);
        }
    };
    plan.options.failpoints.reach("slot-made");
    store.enter_copy(&held, plan.options.workers).await?;
    plan.options.failpoints.reach("position-stored");
    migration.phase = Phase::Copy;
    migration.snapshot = Some(held);
    Ok(())
}

pub(crate) async fn drop_leftovers(source: &Session, migration: &Migration) -> Result<(), Error> {
    source
        .batch(&format!(
            "DROP PUBLICATION IF EXISTS {}; DROP PUBLICATION IF EXISTS {}",
            quote_identifier(&migration.publication),
            quote_identifier(&migration.append_publication())
        ))
        .await?;
    // A holder of a run that was killed may still be making the slot.
    snapshot::end_holders(source, &migration.name, Some(&migration.slot)).await?;
    wait_for_slot(source, &migration.slot, LEFTOVER_PATIENCE).await?;
    source
        .query(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots
              WHERE slot_name = $1 AND NOT active",
            &[&migration.slot],
        )
        .await?;
    Ok(())
}

/// Two publications: a table whose updates and deletes cannot be identified must not be in one that
/// publishes them, since the source's own statements would then fail.
pub(crate) async fn publish(source: &Session, migration: &Migration, tables: &[Relation]) -> Result<(), Error> {
    let of = |followable: bool| {
        tables.iter().filter(|table| table.followable == followable).map(|t| t.name.to_sql()).collect::<Vec<_>>()
    };
    let mut sql = "BEGIN; SET LOCAL lock_timeout = '10s';".to_owned();
    let (followed, appended) = (of(true), of(false));
    let comment = quote_literal(&crate::abort::comment_of(&migration.name));
    if !followed.is_empty() {
        sql.push_str(&format!(
            "CREATE PUBLICATION {name} FOR TABLE ONLY {}; COMMENT ON PUBLICATION {name} IS {comment};",
            followed.join(", ONLY "),
            name = quote_identifier(&migration.publication),
        ));
    }
    if !appended.is_empty() {
        sql.push_str(&format!(
            "CREATE PUBLICATION {name} FOR TABLE ONLY {} WITH (publish = 'insert, truncate');
             COMMENT ON PUBLICATION {name} IS {comment};",
            appended.join(", ONLY "),
            name = quote_identifier(&migration.append_publication()),
        ));
    }
    sql.push_str("COMMIT");
    if let Err(error) = source.batch(&sql).await {
        let _rolled_back = source.batch("ROLLBACK").await;
        return Err(error.into());
    }
    Ok(())
}

async fn warn_of_open_transactions(source: &Session, observer: &dyn Observer) -> Result<(), Error> {
    let row = source
        .query_one(
            "SELECT count(*), coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)), 0)::float8
               FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()
                AND xact_start < pg_catalog.clock_timestamp() - interval '5 seconds'",
            &[],
        )
        .await?;
    let count: i64 = row.get(0);
    if count > 0 {
        let text = format!(
            "the new slot waits for {count} transactions that are open on the source, the oldest for {:.0} s",
            row.get::<_, f64>(1)
        );
        observer.observe(&Event::Warning { text });
    }
    Ok(())
}
