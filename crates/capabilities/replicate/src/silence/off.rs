//! Off, before a row comes; and a look at whether it has stayed so.

use std::collections::BTreeSet;

use atalaya_data::{RelationName, quote_literal};
use atalaya_postgres::Session;

use super::actor::{Actor, Fires, Kind, Writers, awake, awake_on};
use crate::Error;
use crate::follow::may_be_replica;
use crate::progress::{SchemaChoice, Store};
use crate::report::{Event, Observer};
use crate::schema::LOCK_TIMEOUT;

/// Names that a message lists.
const LISTED: usize = 8;
/// Whether a foreign key that acts on the move's rows forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForeignKeys {
    /// The target had them before the rows came: they refuse rows in the order they come.
    Refused,
    /// The move has made them itself, at its end: what is written late obeys them as on the source.
    Kept,
}

impl ForeignKeys {
    /// By who has made the target's schema.
    pub(crate) const fn of(schema: SchemaChoice) -> Self {
        if schema.existing { Self::Refused } else { Self::Kept }
    }
}

/// Switches off what would act on rows of the move, and says so.
///
/// # Errors
/// When something cannot be switched off, or somebody has switched on again what the move had switched off.
pub(crate) async fn switch_off(
    store: &Store<'_>,
    foreign_keys: ForeignKeys,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let writers = Writers::of(may_be_replica(store.session).await?);
    let acting = acting(store, writers, foreign_keys).await?;
    refuse_switched_on(&acting)?;
    refuse_unowned(&acting, writers)?;
    if acting.is_empty() {
        return Ok(());
    }
    let script = script(store, &acting, writers);
    if let Err(error) = store.session.batch(&script).await {
        // The error is what counts; a session that is lost has rolled back already.
        let _rolled_back = store.session.batch("ROLLBACK").await;
        return Err(error.into());
    }
    let text = format!(
        "{} triggers or rules of the target's own tables would act on rows of the move; they are off until `finish` or \
         `abort` sets them back: {}",
        acting.len(),
        listed(&acting)
    );
    observer.observe(&Event::Warning { text });
    Ok(())
}

/// Refuses to go on while something acts on rows of the move.
///
/// # Errors
/// When something does.
pub(crate) async fn refuse_awake(store: &Store<'_>, writers: Writers, foreign_keys: ForeignKeys) -> Result<(), Error> {
    let acting = acting(store, writers, foreign_keys).await?;
    refuse_switched_on(&acting)?;
    if acting.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "triggers-would-fire",
        format!("{} came to the target's tables while the move runs and act on its rows", listed(&acting)),
        "start again, which switches them off until the move ends; `atalaya validate` finds the rows that they have changed",
    ))
}

/// What would act on rows that come back to these tables, for people; none where nothing would.
///
/// An application works on them, so that nothing of theirs may be switched off for us.
pub(crate) async fn would_act(
    target: &Session,
    tables: &[RelationName],
    writers: Writers,
) -> Result<Option<String>, Error> {
    let mut awake = awake_on(target, tables).await?;
    awake.retain(|actor| writers.wake(actor.fires));
    Ok((!awake.is_empty()).then(|| format!("{}: {}", listed(&awake), silent_hint(writers))))
}

/// Refuses to go on while something acts on rows that come back.
///
/// # Errors
/// When something does.
pub(crate) async fn refuse_on_way_back(store: &Store<'_>, writers: Writers) -> Result<(), Error> {
    let mut awake = awake(store.session, store.name).await?;
    awake.retain(|actor| writers.wake(actor.fires));
    if awake.is_empty() {
        return Ok(());
    }
    let seen = format!("{} would act on rows that come back to the old server", listed(&awake));
    Err(Error::refused("triggers-would-fire", seen, silent_hint(writers)))
}

/// How rows come without anything acting on them, where nothing may be switched off.
fn silent_hint(writers: Writers) -> &'static str {
    match writers {
        Writers::Origin => {
            "let the role set session_replication_role there (a superuser may, and from 15 on: GRANT SET ON PARAMETER \
             session_replication_role)"
        }
        Writers::Replica => {
            "make it ENABLE instead of ENABLE ALWAYS or REPLICA, as it then stays silent while rows come back"
        }
    }
}

async fn acting(store: &Store<'_>, writers: Writers, foreign_keys: ForeignKeys) -> Result<Vec<Actor>, Error> {
    let mut awake = awake(store.session, store.name).await?;
    awake.retain(|actor| writers.wake(actor.fires));
    awake.retain(|actor| actor.kind != Kind::ForeignKey || foreign_keys == ForeignKeys::Refused);
    Ok(awake)
}

fn listed(actors: &[Actor]) -> String {
    let mut text = actors
        .iter()
        .take(LISTED)
        .map(|actor| format!("{} ({})", actor.shown(), actor.fires.verb()))
        .collect::<Vec<_>>()
        .join(", ");
    if actors.len() > LISTED {
        text.push_str(&format!(" and {} more", actors.len() - LISTED));
    }
    text
}

/// Whoever did that may have meant it.
fn refuse_switched_on(acting: &[Actor]) -> Result<(), Error> {
    let switched: Vec<Actor> = acting.iter().filter(|actor| actor.silenced).cloned().collect();
    if switched.is_empty() {
        return Ok(());
    }
    let statements: Vec<String> = switched.iter().take(LISTED).map(|actor| actor.switch_sql(Fires::Never)).collect();
    Err(Error::refused(
        "triggers-would-fire",
        format!("{} was off for the time of the move, and somebody has switched it on again", listed(&switched)),
        format!(
            "switch it off again on the target (`{}`), then start again: `finish` sets it back; `atalaya validate` finds the \
             rows that it has changed",
            statements.join("; ")
        ),
    ))
}

fn refuse_unowned(acting: &[Actor], writers: Writers) -> Result<(), Error> {
    let keys: Vec<Actor> = acting.iter().filter(|actor| actor.kind == Kind::ForeignKey).cloned().collect();
    if !keys.is_empty() {
        let hint = match writers {
            Writers::Origin => {
                "let the role set session_replication_role (from 15 on: GRANT SET ON PARAMETER), or drop the foreign keys until \
                 the move is finished"
            }
            Writers::Replica => {
                "a superuser has made a foreign key's own trigger ENABLE ALWAYS or REPLICA: make it ENABLE, or drop the key"
            }
        };
        return Err(Error::refused(
            "triggers-would-fire",
            format!("foreign keys of the target's tables would act on rows of the move: {}", listed(&keys)),
            hint,
        ));
    }
    let others: Vec<Actor> = acting.iter().filter(|actor| !actor.owned).cloned().collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "triggers-would-fire",
        format!("the role may not switch off what would act on rows of the move: {}", listed(&others)),
        "let the role be a member of the tables' owner, or have the owner switch them off until the move is finished",
    ))
}

/// One transaction. Tables are locked before what acts on them is written down, so that it is what it was.
fn script(store: &Store<'_>, acting: &[Actor], writers: Writers) -> String {
    let tables: BTreeSet<_> = acting.iter().map(|actor| &actor.relation).collect();
    let locked: Vec<String> = tables.iter().map(|table| format!("ONLY {}", table.to_sql())).collect();
    let ruled = acting.iter().any(|actor| actor.kind == Kind::Rule);
    let mode = if ruled { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
    let mut sql =
        format!("BEGIN; {LOCK_TIMEOUT} {}; LOCK TABLE {} IN {mode} MODE;", store.marker_sql(), locked.join(", "));
    let migration = quote_literal(store.name);
    sql.push_str(&kept_sql(&migration, acting));
    let woken = match writers {
        Writers::Replica => "'A', 'R'",
        Writers::Origin => "'O', 'A'",
    };
    for actor in acting {
        let (kind, catalog, fires) = match actor.kind {
            Kind::Rule => ("rule", "pg_rewrite", "ev_enabled"),
            Kind::Trigger | Kind::ForeignKey => ("trigger", "pg_trigger", "tgenabled"),
        };
        sql.push_str(&format!(
            "INSERT INTO atalaya.silenced (migration, kind, oid, schema, relation, name, fires)
             SELECT {migration}, '{kind}', oid, {}, {}, {}, {fires}::text FROM pg_catalog.{catalog}
              WHERE oid = {} AND {fires} IN ({woken})
             ON CONFLICT (migration, kind, oid) DO UPDATE SET fires = excluded.fires;
             {};",
            quote_literal(&actor.relation.schema),
            quote_literal(&actor.relation.name),
            quote_literal(&actor.name),
            actor.oid,
            actor.switch_sql(Fires::Never),
        ));
    }
    sql + "COMMIT"
}

/// Writes down which clones of those triggers are there and stay what they are. One that is not written down came later,
/// and Postgres has made it off only because the trigger was: the tables' locks let no partition come meanwhile.
fn kept_sql(migration: &str, acting: &[Actor]) -> String {
    let triggers: Vec<String> =
        acting.iter().filter(|actor| actor.kind == Kind::Trigger).map(|actor| actor.oid.to_string()).collect();
    let triggers = triggers.join(", ");
    format!(
        "WITH RECURSIVE clones AS (
             SELECT oid FROM pg_catalog.unnest(ARRAY[{triggers}]::oid[]) AS acting(oid)
             UNION
             SELECT g.oid FROM clones c JOIN pg_catalog.pg_trigger g ON g.tgparentid = c.oid
              WHERE NOT EXISTS (SELECT FROM atalaya.silenced s
                                 WHERE s.migration = {migration} AND s.kind = 'trigger' AND s.oid = g.oid))
         INSERT INTO atalaya.silenced (migration, kind, oid, schema, relation, name, fires)
         SELECT {migration}, 'trigger', g.oid, n.nspname, c.relname, g.tgname, '-'
           FROM clones k JOIN pg_catalog.pg_trigger g ON g.oid = k.oid JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE g.oid <> ALL (ARRAY[{triggers}]::oid[]) ON CONFLICT DO NOTHING;"
    )
}
