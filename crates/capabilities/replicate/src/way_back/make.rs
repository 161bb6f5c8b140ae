//! Making the way back, while clients are on the old server and changes are followed to the new one.
//!
//! Each step can be begun again: what a kill leaves is known by what both rows say, and is made anew under the same name.
//! The slot comes after its publications, and its position is the one that the old server's tables are taken for copied
//! at: whatever was committed on the new server before has come from the old one.

use atalaya_catalog::Relation;
use atalaya_control::REPLICATOR_CHANNEL;
use atalaya_data::{Lsn, RelationName, quote_literal};
use atalaya_postgres::catalog::read_identity;
use atalaya_postgres::fence_slot::{FenceSlot, Lifetime};
use atalaya_postgres::{Session, control};

use super::alone::alone;
use super::check::{Sides, problems};
use super::pair::{BackOf, Known, Made, refuse_led_over};
use super::plan::{left_out, opposite};
use super::publish::publish_marker;
use super::remove::{drop_back, take_lock};
use super::status::{WayBackStatus, way_back_status};
use crate::ddl::read_definitions;
use crate::follow::{append_only_counts, store_counts};
use crate::progress::{Migration, Phase, SchemaChoice, Store};
use crate::run::{Mapper, drop_leftovers, publish};
use crate::{Error, Plan};

/// Makes the way back of a move that follows its source, or makes it whole; a run that follows takes it up by itself.
/// Clients must be on the old server: what they have written to the new one before would not come back.
///
/// # Errors
/// Refuses by name where it is not possible, or clients are on the new server already.
pub async fn make_way_back(plan: &Plan) -> Result<WayBackStatus, Error> {
    let name = format!("atalaya way back {}", plan.name);
    let old = Session::connect_for_control(&plan.source, &name).await?;
    let new = Session::connect_for_control(&plan.target, &name).await?;
    let (there, back_there) = (Store { session: &new, name: &plan.name }, Store { session: &old, name: &plan.name });
    let Some(forward) = there.read().await? else {
        return Err(Error::refused(
            "unknown-migration",
            format!("there is no migration `{}`", plan.name),
            "see `atalaya migrate status`",
        ));
    };
    let back = opposite(plan, &there).await?;
    let known = Known::read(&there).await?;
    if is_whole(&back, known.as_ref(), &new, &back_there).await? {
        return way_back_status(plan).await;
    }
    let remedy = "see `atalaya migrate way-back status`; a way back is made while clients are on the old server";
    refuse_led_over(&there, "the way back does not bring all that they write", remedy).await?;
    let sides = Sides { back: &back, old: &old, new: &new, forward: &forward };
    let problems = problems(&sides).await?;
    if !problems.is_empty() {
        return Err(Error::refused(
            "way-back-impossible",
            format!("a way back cannot be made: {}", problems.join("; ")),
            "mend what is named, then try again",
        ));
    }
    let slot = known.map_or_else(|| back.id.slot_name(), |known| known.slot);
    let mut known =
        Known { slot, made: Made::Partly, since: None, entry: None, stopped: None, stopped_at: None, alone: None };
    known.write(&there).await?;
    take_lock(&old, &plan.name).await?;
    plan.options.failpoints.reach("way-back-noted");
    Making { plan, back: &back, old: &old, new: &new, forward: &forward }.make(&mut known).await?;
    known.alone = Some(alone(&old, &new).await?);
    known.made = Made::Wholly;
    known.since = Some(new.query_one("SELECT pg_catalog.now()::text", &[]).await?.get(0));
    known.write(&there).await?;
    plan.options.failpoints.reach("way-back-made");
    // The run takes it up: its lock must be free by then.
    drop(old);
    new.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &plan.name.as_str()]).await?;
    way_back_status(plan).await
}

/// Whether nothing is left to be made.
async fn is_whole(back: &Plan, known: Option<&Known>, new: &Session, back_there: &Store<'_>) -> Result<bool, Error> {
    let Some(known) = known.filter(|known| known.made == Made::Wholly) else { return Ok(false) };
    let slot = "SELECT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1)";
    let stands = back_there.read().await?.is_some_and(|migration| migration.slot == known.slot);
    Ok(stands
        && new.query_one(slot, &[&known.slot]).await?.get::<_, bool>(0)
        && left_out(back, new, back_there).await?.is_empty())
}

struct Making<'a> {
    plan: &'a Plan,
    back: &'a Plan,
    old: &'a Session,
    new: &'a Session,
    forward: &'a Migration,
}

impl Making<'_> {
    async fn make(&self, known: &mut Known) -> Result<(), Error> {
        let Self { plan, back, old, new, forward } = *self;
        let failpoints = &plan.options.failpoints;
        control::install_schema(old).await?;
        let store = Store { session: old, name: &plan.name };
        self.refuse_other_migration(&store).await?;
        // What an earlier try has left, or an earlier move of the name whose old server could not be asked.
        drop_back(old, new, &plan.name, Some(&known.slot)).await?;
        control::install_schema(old).await?;
        known.entry = Some(publish_marker(plan, old, forward).await?);
        failpoints.reach("way-back-marker-published");
        let migration = Migration {
            name: plan.name.to_string(),
            identity: read_identity(new).await?,
            publication: known.slot.clone(),
            slot: known.slot.clone(),
            phase: Phase::Created,
            snapshot: None,
            schema: SchemaChoice { existing: true, no_owner: true },
            given_up: None,
            ddl_trigger: false,
        };
        store.create(&migration, plan.options.wal_limit).await?;
        BackOf { slot: forward.slot.clone(), entry: None }.write(&store).await?;
        let tables = crate::run::chosen_tables(back, new).await?;
        self.write_tables(&store, &tables).await?;
        failpoints.reach("way-back-tables-written");
        drop_leftovers(new, &migration).await?;
        publish(new, &migration, &tables).await?;
        let entry = Some(publish_marker(back, new, &migration).await?);
        failpoints.reach("way-back-published");
        let slot = FenceSlot::open(&plan.target, Lifetime::Persistent(&known.slot), plan.options.slot_timeout).await?;
        let position = slot.consistent_point();
        drop(slot);
        failpoints.reach("way-back-slot-made");
        BackOf { slot: forward.slot.clone(), entry }.write(&store).await?;
        enter_stream(&store, position).await
    }

    /// A row of that name that is no way back belongs to somebody else.
    async fn refuse_other_migration(&self, store: &Store<'_>) -> Result<(), Error> {
        if store.read().await?.is_none() || BackOf::read(store).await?.is_some() {
            return Ok(());
        }
        Err(Error::refused(
            "name-taken",
            format!("the old server is the target of another move `{}`", self.plan.name),
            "finish that one first, or move under another name",
        ))
    }

    /// Which table of the old server takes whose rows, and what these are by now.
    async fn write_tables(&self, store: &Store<'_>, tables: &[Relation]) -> Result<(), Error> {
        let mapped = Mapper::read(self.new, self.old, &[]).await?.map(tables)?;
        let rows: Vec<(&Relation, RelationName, bool)> = tables
            .iter()
            .map(|table| {
                let place = mapped.get(&table.name).cloned().unwrap_or_else(|| table.name.clone());
                (table, place, !table.followable)
            })
            .collect();
        store.write_tables(&rows).await?;
        store_counts(store, &append_only_counts(self.new).await?).await?;
        store.write_definitions(&read_definitions(self.new).await?).await
    }
}

/// From here on the position counts: everything before is on the old server already.
async fn enter_stream(store: &Store<'_>, position: Lsn) -> Result<(), Error> {
    let name = quote_literal(store.name);
    let entered = store
        .session
        .batch(&format!(
            "BEGIN;
             INSERT INTO atalaya.progress (migration, writer, applied) VALUES ({name}, 0, '{position}');
             UPDATE atalaya.tables SET start_lsn = '{position}', state = 'done' WHERE migration = {name};
             UPDATE atalaya.migration SET phase = 'stream' WHERE name = {name};
             COMMIT"
        ))
        .await;
    if entered.is_err() {
        // The error is what counts; a session that is lost has rolled back already.
        let _rolled_back = store.session.batch("ROLLBACK").await;
    }
    Ok(entered?)
}
