//! Making the event trigger, in one transaction, so that a kill leaves all of it or nothing; and removing it.

use std::time::Duration;

use atalaya_data::{MigrationId, quote_identifier, quote_literal};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use tokio::time::Instant;

use super::{EVENTS, SCHEMA, body, names};
use crate::abort::comment_of;
use crate::{Error, Failpoints};

/// From this version on pgoutput hands on what a session says of itself.
const OLDEST: u32 = 14;

/// How long statements that are under way may take to end before the function goes.
const STATEMENTS_LIMIT: Duration = Duration::from_secs(10);
const STATEMENTS_PAUSE: Duration = Duration::from_millis(50);

/// Refuses where a migration could not make its event trigger; nothing stays of the trial.
///
/// # Errors
/// [`Error::Refused`] with what is in its way; the source's own.
pub async fn try_event_trigger(source: &ConnectionUrl, id: &MigrationId) -> Result<(), Error> {
    let session = Session::connect_for_control(source, &format!("atalaya assess {}", id.name())).await?;
    try_out(&session, &id.slot_name(), id.name()).await
}

/// Refuses where the trigger cannot be made, after trying it: managed services allow it to roles of their own.
pub(crate) async fn try_out(source: &Session, slot: &str, migration: &str) -> Result<(), Error> {
    make(source, slot, migration, "ROLLBACK").await
}

/// Makes the trigger, anew where one stands.
pub(crate) async fn install(source: &Session, slot: &str, migration: &str) -> Result<(), Error> {
    make(source, slot, migration, "COMMIT").await
}

async fn make(source: &Session, slot: &str, migration: &str, end: &str) -> Result<(), Error> {
    if source.major() < OLDEST {
        return Err(Error::refused(
            "ddl-trigger-version",
            format!("the source is PostgreSQL {}, which does not send what an event trigger says", source.major()),
            "start without `--ddl-trigger`: changes of the schema are met by what the source's catalog tells",
        ));
    }
    let Err(error) = source.batch(&format!("{}; {end}", script(slot, migration))).await else { return Ok(()) };
    // The error is what counts; a session that is lost has rolled back already.
    let _rolled_back = source.batch("ROLLBACK").await;
    if error.sqlstate() != Some("42501") {
        return Err(error.into());
    }
    Err(Error::refused(
        "ddl-trigger-right",
        format!("the source's role may not make an event trigger: {}", atalaya_data::chain(&error)),
        format!(
            "{}; or start without `--ddl-trigger`: changes of the schema are met by what the source's catalog tells",
            grant_sql(source).await?
        ),
    ))
}

/// What gives the role the right that it lacks.
async fn grant_sql(source: &Session) -> Result<String, Error> {
    const RIGHTS: &str = "SELECT current_user::text, pg_catalog.current_database()::text,
                                 pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')";
    let row = source.query_one(RIGHTS, &[]).await?;
    let (role, database) = (quote_identifier(row.get(0)), quote_identifier(row.get(1)));
    Ok(match row.get(2) {
        false => format!("GRANT CREATE ON DATABASE {database} TO {role}"),
        true => format!("ALTER ROLE {role} SUPERUSER (on RDS: GRANT rds_superuser TO {role})"),
    })
}

/// A function that is there keeps its OID: a session in the middle of a statement may be about to call it.
fn script(slot: &str, migration: &str) -> String {
    let function = function(slot);
    let mut sql = format!(
        "{BEGIN}; CREATE SCHEMA IF NOT EXISTS {SCHEMA};
         CREATE OR REPLACE FUNCTION {function} RETURNS event_trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS {};
         COMMENT ON FUNCTION {function} IS {}; {}",
        quote_literal(&body(slot)),
        quote_literal(&comment_of(migration)),
        drop_triggers(slot),
    );
    for ((_, event, tags), name) in EVENTS.iter().zip(names(slot)) {
        let name = quote_identifier(&name);
        // Also for what a session runs as a replica.
        sql.push_str(&format!(
            "; CREATE EVENT TRIGGER {name} ON {event}{tags} EXECUTE FUNCTION {function};
             ALTER EVENT TRIGGER {name} ENABLE ALWAYS"
        ));
    }
    sql
}

const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL client_min_messages = warning";

fn function(slot: &str) -> String {
    format!("{SCHEMA}.{}()", quote_identifier(slot))
}

fn drop_triggers(slot: &str) -> String {
    let drop = |name: &String| format!("DROP EVENT TRIGGER IF EXISTS {}", quote_identifier(name));
    names(slot).iter().map(drop).collect::<Vec<_>>().join("; ")
}

/// Removes a migration's trigger, and our schema where nothing else is in it; harmless where there is none.
///
/// The function goes last, once every statement that was under way before has ended: one that has read the list of
/// triggers already would fail without it.
pub(crate) async fn remove(source: &Session, slot: &str, failpoints: &Failpoints) -> Result<(), Error> {
    run(source, &drop_triggers(slot)).await?;
    failpoints.reach("trigger-dropped");
    wait_for_statements(source).await?;
    // The schema stays where another migration's is in it, or somebody else owns it.
    let sql = format!(
        "DROP FUNCTION IF EXISTS {} CASCADE;
         DO $$ BEGIN DROP SCHEMA IF EXISTS {SCHEMA};
               EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL; END $$",
        function(slot)
    );
    run(source, &sql).await?;
    failpoints.reach("trigger-removed");
    Ok(())
}

async fn run(source: &Session, sql: &str) -> Result<(), Error> {
    let Err(error) = source.batch(&format!("{BEGIN}; {sql}; COMMIT")).await else { return Ok(()) };
    let _rolled_back = source.batch("ROLLBACK").await;
    Err(error.into())
}

/// Waits until every transaction that writes has ended, but not for long: a trigger is removed beside any of them.
async fn wait_for_statements(source: &Session) -> Result<(), Error> {
    const ENDED: &str = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text";
    const SEEN: &str = "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) >= ($1::text)::xid8";
    let until: String = source.query_one(ENDED, &[]).await?.get(0);
    let deadline = Instant::now() + STATEMENTS_LIMIT;
    while !source.query_one(SEEN, &[&until]).await?.get::<_, bool>(0) && Instant::now() < deadline {
        tokio::time::sleep(STATEMENTS_PAUSE).await;
    }
    Ok(())
}

/// The slots that a migration's triggers are named after, by the functions' comments.
pub(crate) async fn names_of(source: &Session, migration: &str) -> Result<Vec<String>, Error> {
    let rows = source
        .query(
            "SELECT p.proname::text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname = $1 AND pg_catalog.obj_description(p.oid, 'pg_proc') = $2",
            &[&SCHEMA, &comment_of(migration)],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
