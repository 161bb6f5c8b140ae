//! Set back, exactly as before, when no row of the move comes any more.

use std::collections::BTreeSet;

use atalaya_data::{RelationName, quote_literal};
use atalaya_postgres::Row;

use super::actor::{Fires, Kind, shown, switch_sql};
use super::clones::clones;
use crate::Error;
use crate::progress::Store;
use crate::schema::LOCK_TIMEOUT;

/// Names that a message lists.
const LISTED: usize = 8;

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct SetBack {
    /// Triggers and rules that are as before.
    pub(crate) restored: Vec<String>,
    /// What somebody else has changed meanwhile, and what is gone: left as it is.
    pub(crate) told: Vec<String>,
}

/// What was switched off, as it was and as it is.
struct Silenced {
    kind: Kind,
    name: String,
    relation: RelationName,
    was: Fires,
    /// None when it is gone.
    now: Option<Fires>,
}

const SILENCED: &str = "
    SELECT s.kind, coalesce(n.nspname::text, s.schema), coalesce(c.relname::text, s.relation),
           coalesce(g.tgname::text, r.rulename::text, s.name), s.fires, coalesce(g.tgenabled::text, r.ev_enabled::text)
      FROM atalaya.silenced s
      LEFT JOIN pg_catalog.pg_trigger g ON s.kind = 'trigger' AND g.oid = s.oid
      LEFT JOIN pg_catalog.pg_rewrite r ON s.kind = 'rule' AND r.oid = s.oid
      LEFT JOIN pg_catalog.pg_class c ON c.oid = coalesce(g.tgrelid, r.ev_class)
      LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE s.migration = $1 AND s.fires <> '-' ORDER BY 2, 3, 1, 4";

/// Sets back what was switched off and is still off, and forgets it; nothing to do where nothing was.
///
/// # Errors
/// The target's: the tables are waited for.
pub(crate) async fn set_back(store: &Store<'_>) -> Result<SetBack, Error> {
    if !is_known(store).await? || read(store).await?.is_empty() {
        return Ok(SetBack::default());
    }
    let done = within_transaction(store).await;
    if done.is_err() {
        // The error is what counts; a session that is lost has rolled back already.
        let _rolled_back = store.session.batch("ROLLBACK").await;
    }
    done
}

/// What [`set_back`] would do as it stands, without doing it.
///
/// # Errors
/// The target's.
pub(crate) async fn would_set_back(store: &Store<'_>) -> Result<SetBack, Error> {
    if !is_known(store).await? {
        return Ok(SetBack::default());
    }
    Ok(decide(store).await?.0)
}

/// What is off for the time of the move, for people; none where nothing is.
///
/// # Errors
/// The target's.
pub(crate) async fn whatever_is_off(store: &Store<'_>) -> Result<Option<String>, Error> {
    if !is_known(store).await? {
        return Ok(None);
    }
    let off = read(store).await?;
    let named = |silenced: &Silenced| {
        let name = shown(silenced.kind, &silenced.name, &silenced.relation);
        format!("{name} ({})", silenced.was.verb())
    };
    let names: Vec<String> = off.iter().take(LISTED).map(named).collect();
    let more = off.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Ok((!off.is_empty()).then(|| format!("{}{more}", names.join(", "))))
}

/// Whether our schema has the table; that of an earlier version has not.
async fn is_known(store: &Store<'_>) -> Result<bool, Error> {
    let sql = "SELECT pg_catalog.to_regclass('atalaya.silenced') IS NOT NULL";
    Ok(store.session.query_one(sql, &[]).await?.get(0))
}

async fn within_transaction(store: &Store<'_>) -> Result<SetBack, Error> {
    store.session.batch(&format!("BEGIN; {LOCK_TIMEOUT} {}", store.marker_sql())).await?;
    lock(store).await?;
    // Read again under the locks: nobody changes it between this look and the statements.
    let (done, sql) = decide(store).await?;
    let migration = quote_literal(store.name);
    store.session.batch(&format!("{sql} DELETE FROM atalaya.silenced WHERE migration = {migration}; COMMIT")).await?;
    Ok(done)
}

/// What is to become of each, and the statements for it.
async fn decide(store: &Store<'_>) -> Result<(SetBack, String), Error> {
    let mut done = SetBack::default();
    let mut sql = String::new();
    for silenced in read(store).await? {
        let name = shown(silenced.kind, &silenced.name, &silenced.relation);
        let before = silenced.was.verb();
        let again = switch_sql(silenced.kind, &silenced.name, &silenced.relation, silenced.was);
        match silenced.now {
            Some(Fires::Never) => {
                sql.push_str(&format!("{again};"));
                done.restored.push(format!("{name} ({before})"));
            }
            Some(now) if now == silenced.was => done.restored.push(format!("{name} ({before})")),
            Some(now) => done.told.push(format!(
                "{name} was {before} before the move, and somebody has made it {} since: it stays so; `{again}` sets it back",
                now.verb()
            )),
            None => done.told.push(format!("{name}, which was {before} before the move and off since, is gone")),
        }
    }
    for clone in clones(store).await? {
        if clone.is_ours() {
            sql.push_str(&format!("{};", clone.switch_sql()));
            done.restored.push(clone.restored());
        } else {
            done.told.push(clone.told());
        }
    }
    Ok((done, sql))
}

/// The tables whose triggers and rules are off, then partitions that came: none can come to a table that is locked.
async fn lock(store: &Store<'_>) -> Result<(), Error> {
    let silenced = read(store).await?;
    let ruled = silenced.iter().any(|silenced| silenced.kind == Kind::Rule);
    let mode = if ruled { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
    let off = silenced.iter().filter(|silenced| silenced.now == Some(Fires::Never));
    lock_tables(store, off.map(|silenced| &silenced.relation).collect(), mode).await?;
    let clones = clones(store).await?;
    let ours = clones.iter().filter(|clone| clone.is_ours()).map(|clone| &clone.relation).collect();
    lock_tables(store, ours, "SHARE ROW EXCLUSIVE").await
}

async fn lock_tables(store: &Store<'_>, tables: BTreeSet<&RelationName>, mode: &str) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    let locked: Vec<String> = tables.into_iter().map(|table| format!("ONLY {}", table.to_sql())).collect();
    store.session.batch(&format!("LOCK TABLE {} IN {mode} MODE", locked.join(", "))).await?;
    Ok(())
}

async fn read(store: &Store<'_>) -> Result<Vec<Silenced>, Error> {
    store.session.query(SILENCED, &[&store.name]).await?.iter().map(silenced_from).collect()
}

fn silenced_from(row: &Row) -> Result<Silenced, Error> {
    let text = |column: usize| row.get::<_, String>(column);
    Ok(Silenced {
        kind: if text(0) == "rule" { Kind::Rule } else { Kind::Trigger },
        relation: RelationName::new(text(1), text(2)),
        name: text(3),
        was: Fires::parse(&text(4))?,
        now: row.get::<_, Option<String>>(5).map(|code| Fires::parse(&code)).transpose()?,
    })
}
