//! What has to hold for a way back, looked up without touching anything.

use atalaya_catalog::{Generated, Relation, ReplicaIdentity};
use atalaya_data::RelationName;
use atalaya_postgres::Session;

use super::publish;
use crate::follow::may_be_replica;
use crate::progress::{Migration, Phase, Store};
use crate::run::{Mapper, chosen_tables};
use crate::silence::{Writers, would_act};
use crate::{Error, Plan};

/// From this version on a server refuses UPDATE and DELETE of a published table whose identity holds a generated column.
const GENERATED_REFUSED: u32 = 18;

/// Both servers and the move between them.
pub(super) struct Sides<'a> {
    /// The way back's plan: its source is the new server.
    pub(super) back: &'a Plan,
    /// The old server.
    pub(super) old: &'a Session,
    /// The new server, with the forward migration's rows.
    pub(super) new: &'a Session,
    /// The forward migration.
    pub(super) forward: &'a Migration,
}

/// Everything that forbids a way back, for people; empty where nothing does.
pub(super) async fn problems(sides: &Sides<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    if sides.forward.phase != Phase::Stream {
        found.push("the move does not follow its source yet".to_owned());
    }
    if !publish::there(sides.old, &sides.forward.publication).await? {
        found.push(
            "every table of the move is append-only, and nothing is published by which writes are known".to_owned(),
        );
    }
    let rows = Store { session: sides.new, name: &sides.back.name }.read_tables().await?;
    if let Some(shared) = rows.iter().find(|row| !row.conflicts.is_stop()) {
        found.push(format!(
            "others may write to the new server by the conflict policy of {}, and what they have written is not on the old one",
            shared.target
        ));
    }
    found.extend(new_server(sides.new).await?);
    found.extend(old_server(sides.old).await?);
    let tables = chosen_tables(sides.back, sides.new).await?;
    found.extend(unidentified(sides.back, sides.new, &tables));
    found.extend(unowned(sides.new, &tables).await?);
    let mapper = Mapper::read(sides.new, sides.old, &[]).await?;
    let mapped = match mapper.map(&tables).and_then(|mapped| mapper.refuse_unfit(&mapped).map(|()| mapped)) {
        Ok(mapped) => mapped,
        Err(Error::Refused { seen, .. }) => {
            found.push(format!("the old server's tables cannot take the new one's rows: {seen}"));
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    let places: Vec<RelationName> = mapped.into_values().collect();
    found.extend(unwritable(sides.old, &places).await?);
    let writers = Writers::of(may_be_replica(sides.old).await?);
    if let Some(acting) = would_act(sides.old, &places, writers).await? {
        found.push(format!("what the old server's tables have would act on rows that come back: {acting}"));
    }
    Ok(found)
}

async fn new_server(new: &Session) -> Result<Vec<String>, Error> {
    let row = new
        .query_one(
            "SELECT pg_catalog.current_setting('wal_level'),
                    pg_catalog.current_setting('max_replication_slots')::int8
                        - (SELECT count(*) FROM pg_catalog.pg_replication_slots),
                    pg_catalog.current_setting('max_wal_senders')::int8
                        - (SELECT count(*) FROM pg_catalog.pg_stat_replication),
                    pg_catalog.pg_is_in_recovery(),
                    (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
                        OR EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication'
                                      AND pg_catalog.pg_has_role(oid, 'USAGE')),
                    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')",
            &[],
        )
        .await?;
    let mut found = Vec::new();
    let level: String = row.get(0);
    if level != "logical" {
        found.push(format!(
            "wal_level of the new server is `{level}`: ALTER SYSTEM SET wal_level = logical, then restart it"
        ));
    }
    if row.get::<_, i64>(1) < 1 {
        found.push("the new server has no replication slot free: raise max_replication_slots".to_owned());
    }
    if row.get::<_, i64>(2) < 1 {
        found.push("the new server has no walsender free: raise max_wal_senders".to_owned());
    }
    if row.get(3) {
        found.push("the new server is a standby".to_owned());
    }
    if !row.get::<_, bool>(4) {
        found.push("the role may not replicate from the new server: ALTER ROLE ... REPLICATION".to_owned());
    }
    if !row.get::<_, bool>(5) {
        found.push("the role may not make a publication on the new server: GRANT CREATE ON DATABASE".to_owned());
    }
    Ok(found)
}

async fn old_server(old: &Session) -> Result<Vec<String>, Error> {
    let row = old
        .query_one(
            "SELECT pg_catalog.to_regnamespace('atalaya') IS NULL
                        AND NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
                    pg_catalog.pg_is_in_recovery()",
            &[],
        )
        .await?;
    let mut found = Vec::new();
    if row.get(0) {
        found.push("the role may not make our schema on the old server: GRANT CREATE ON DATABASE".to_owned());
    }
    if row.get(1) {
        found.push("the old server is a standby".to_owned());
    }
    Ok(found)
}

/// Tables whose updates and deletes would not come back, or would be refused once they are published.
pub(super) fn unidentified(back: &Plan, new: &Session, tables: &[Relation]) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables {
        let name = &table.name;
        let generated = |column: &atalaya_catalog::Column| column.generated != Generated::No;
        if !table.followable && !table.chosen_by(&back.append_only) {
            found.push(format!(
                "updates and deletes of {name} on the new server could not be followed: it has no replica identity"
            ));
        }
        let whole = table.replica_identity == ReplicaIdentity::Full;
        if whole && new.major() >= GENERATED_REFUSED && table.columns.iter().any(generated) {
            found.push(format!(
                "{name} has REPLICA IDENTITY FULL and a generated column: published, the new server would refuse its updates \
                 and deletes; with a primary key: ALTER TABLE {name} REPLICA IDENTITY DEFAULT there"
            ));
        }
        if !whole && table.followable && table.key_columns().any(generated) {
            found.push(format!("the replica identity of {name} on the new server holds a generated column"));
        }
    }
    found
}

async fn unowned(new: &Session, tables: &[Relation]) -> Result<Option<String>, Error> {
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let row = new
        .query_one(
            "SELECT pg_catalog.string_agg(c.oid::regclass::text, ', ') FROM pg_catalog.pg_class c
              WHERE c.oid = ANY ($1) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')",
            &[&oids],
        )
        .await?;
    let unowned: Option<String> = row.get(0);
    Ok(unowned.map(|names| format!("the role may not publish tables of the new server that it does not own: {names}")))
}

async fn unwritable(old: &Session, places: &[RelationName]) -> Result<Option<String>, Error> {
    let names: Vec<String> = places.iter().map(RelationName::to_sql).collect();
    let row = old
        .query_one(
            "SELECT pg_catalog.string_agg(DISTINCT name, ', ') FROM pg_catalog.unnest($1::text[]) AS name
              WHERE NOT (pg_catalog.has_table_privilege(name, 'SELECT') AND pg_catalog.has_table_privilege(name, 'INSERT')
                     AND pg_catalog.has_table_privilege(name, 'UPDATE') AND pg_catalog.has_table_privilege(name, 'DELETE')
                     AND pg_catalog.has_table_privilege(name, 'TRUNCATE'))",
            &[&names],
        )
        .await?;
    let unwritable: Option<String> = row.get(0);
    Ok(unwritable.map(|names| format!("the role may not write to tables of the old server: {names}")))
}
