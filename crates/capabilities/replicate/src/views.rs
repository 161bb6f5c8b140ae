//! Contents of the target's materialized views, which no change of the source brings.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::progress::{Phase, Store};
use crate::schema::LOCK_TIMEOUT;
use crate::way_back::{self, Side};
use crate::{Error, Plan, run_lock};

/// Which of those that are filled on the source are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// Every one: nobody is served from them yet, and what they read has changed since they were filled.
    All,
    /// Those that hold nothing: clients are served from the others.
    Empty,
}

/// How often it is looked whether what was committed before is applied.
const LOOK: Duration = Duration::from_millis(100);

/// In the order in which they were made: a view that reads another one was made after it.
const VIEWS: &str = "SELECT n.nspname::text, c.relname::text, c.relispopulated
   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'm' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'atalaya')
  ORDER BY c.oid";

/// Whether [`fill_views`] fills what the target has of the source's materialized views: where the move has brought the schema,
/// and as long as nobody is served from there.
///
/// # Errors
/// When the target does not answer.
pub async fn fills_views(plan: &Plan) -> Result<bool, Error> {
    let target = Session::connect_for_control(&plan.target, &name_of(plan)).await?;
    are_ours(&Store { session: &target, name: &plan.name }).await
}

/// Fills the target's materialized views that are filled on the source, with whatever was committed there by now, once that is
/// applied; see [`fills_views`] for where it does nothing. Can be repeated: what they hold is as of the last time.
///
/// # Errors
/// When one cannot be filled, which is named, or what was committed is not applied within the time that a slot is waited for.
pub async fn fill_views(plan: &Plan) -> Result<(), Error> {
    let name = name_of(plan);
    let (source, target) = futures_util::future::try_join(
        Session::connect_for_control(&plan.source, &name),
        Session::connect_for_control(&plan.target, &name),
    )
    .await?;
    let store = Store { session: &target, name: &plan.name };
    if !are_ours(&store).await? {
        return Ok(());
    }
    let views = to_fill(&source, &target, Which::All).await?;
    if views.is_empty() {
        return Ok(());
    }
    end_killed(&target, &name).await?;
    run_lock(&target, &format!("{} views", plan.name)).await?;
    until_applied(&source, &store, plan.options.slot_timeout).await?;
    fill(&target, &views).await
}

/// The same at the end of a move, when everything is applied; those that clients are served from by then are left alone.
pub(crate) async fn fill_at_the_end(source: &Session, store: &Store<'_>) -> Result<(), Error> {
    let which = match way_back::serving(store).await? {
        Side::Source => Which::All,
        Side::Target => Which::Empty,
    };
    fill(store.session, &to_fill(source, store.session, which).await?).await
}

fn name_of(plan: &Plan) -> String {
    format!("atalaya views {}", plan.name)
}

async fn are_ours(store: &Store<'_>) -> Result<bool, Error> {
    let migration = store.read().await?;
    let is_brought = migration.is_some_and(|known| known.phase == Phase::Stream && !known.schema.existing);
    Ok(is_brought && way_back::serving(store).await? == Side::Source)
}

/// A statement of a process that was killed goes on until its end.
async fn end_killed(target: &Session, name: &str) -> Result<(), Error> {
    let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
                WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
                  AND application_name = ($1::text)::name::text AND usename = current_user
                  AND state = 'active' AND backend_start < pg_catalog.now() - interval '1 second'";
    target.query(sql, &[&name]).await?;
    Ok(())
}

async fn until_applied(source: &Session, store: &Store<'_>, limit: Duration) -> Result<(), Error> {
    let until = Instant::now() + limit;
    // What is inserted may stand behind the head of a page that nothing is on: an idle server never sends that.
    let row = source.query_one("SELECT pg_catalog.pg_current_wal_flush_lsn()::text", &[]).await?;
    let committed: String = row.get(0);
    let sql =
        "SELECT (report ->> 'applied_lsn')::pg_lsn >= ($2::text)::pg_lsn FROM atalaya.activity WHERE migration = $1";
    while !store.session.query_opt(sql, &[&store.name, &committed]).await?.is_some_and(|row| row.get(0)) {
        if Instant::now() >= until {
            return Err(Error::refused(
                "views-behind",
                "what was committed on the source is not applied, and materialized views would be filled without it",
                "see `atalaya migrate status`, and try again",
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Each with whether something was filled into it.
async fn read(session: &Session) -> Result<Vec<(RelationName, bool)>, Error> {
    let rows = session.query(VIEWS, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| (RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)), row.get(2)))
        .collect())
}

async fn to_fill(source: &Session, target: &Session, which: Which) -> Result<Vec<RelationName>, Error> {
    let filled: HashSet<RelationName> =
        read(source).await?.into_iter().filter_map(|(view, holds_something)| holds_something.then_some(view)).collect();
    let views = read(target).await?.into_iter();
    let wanted =
        views.filter(|(view, holds_something)| filled.contains(view) && (which == Which::All || !holds_something));
    Ok(wanted.map(|(view, _)| view).collect())
}

async fn fill(target: &Session, views: &[RelationName]) -> Result<(), Error> {
    for view in views {
        fill_one(target, view).await?;
    }
    Ok(())
}

/// In a transaction of its own: what a view calls may not work with an empty search path, and then it has to be named.
async fn fill_one(target: &Session, view: &RelationName) -> Result<(), Error> {
    let name = view.to_sql();
    let sql = format!(
        "BEGIN; SET LOCAL statement_timeout = 0; {LOCK_TIMEOUT} REFRESH MATERIALIZED VIEW {name}; ANALYZE {name}; COMMIT"
    );
    let Err(source) = target.batch(&sql).await else { return Ok(()) };
    // The error is what counts; a session that is lost has rolled back already.
    let _rolled_back = target.batch("ROLLBACK").await;
    Err(Error::Unfilled { view: view.to_string(), source })
}
