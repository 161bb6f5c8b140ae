//! What the drill plays on: the schema's script, two servers, the clone filled with made-up rows.

use std::sync::Arc;

use atalaya_data::size::bytes;
use atalaya_load::ledger::{Ledger, LedgerSize};
use atalaya_postgres::Session;
use atalaya_sandbox::{available, client_tools};
use atalaya_verbs::{Event, grouped};

use super::steps::Steps;
use crate::clone::{Script, make_role, restore};
use crate::fill::{Filled, fill, read_tables};
use crate::report::Schema;
use crate::{Error, Options, Origin, Stage};

const LEDGER_ACCOUNTS: u32 = 500;
/// The oldest version whose package has a pg_dump; it reads older servers.
const OLDEST_DUMP: u16 = 14;

/// The script, and servers of the right versions.
pub(super) async fn prepare(options: &Options, steps: &mut Steps) -> Result<(Script, Stage), Error> {
    let origin = origin_of(options);
    steps.begin(format!("read the schema of {origin}"));
    let (script, from) = match &options.origin {
        Origin::Database(url) => {
            steps.came_to("pg_dump --schema-only: reads the catalog, and not one row");
            let session = Session::connect_for_control(url, "atalaya drill").await?;
            let major = u16::try_from(session.major()).unwrap_or_default();
            let tools = client_tools(major.max(OLDEST_DUMP))?;
            let sql = atalaya_replicate::schema_as_sql(url, &tools, options.ownership).await?;
            (Script::parse(&sql), options.from.unwrap_or(major))
        }
        Origin::File(path) => {
            let script = Script::read_file(path)?;
            let from = options.from.or(script.major).ok_or_else(|| Error::NoVersion { path: path.clone() })?;
            (script, from)
        }
    };
    let newest = available().into_iter().map(|server| server.major).max().unwrap_or(from);
    let to = options.to.unwrap_or(newest.max(from));
    if to < from {
        return Err(Error::Downgrade { from, to });
    }
    steps.came_to(format!("{} entries", grouped(size(script.entries.len()))));
    steps.begin(format!("start PostgreSQL {from} and {to}, fsync on, and restore it there without a row"));
    let setting = options.clone();
    let stage = tokio::task::spawn_blocking(move || Stage::set(&setting, from, to)).await;
    Ok((script, stage.map_err(|_| Error::Ended)??))
}

/// What the schema is read from.
pub(super) fn origin_of(options: &Options) -> String {
    match &options.origin {
        Origin::Database(url) => url.to_string(),
        Origin::File(path) => path.display().to_string(),
    }
}

pub(super) fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The clone, filled, with its writers' statements still to be made.
pub(super) struct Clone {
    pub(super) schema: Schema,
    pub(super) filled: Filled,
    pub(super) ledger: bool,
}

/// Restores and fills the clone.
pub(super) async fn make_clone(
    options: &Options,
    stage: &Stage,
    script: &Script,
    steps: &mut Steps,
) -> Result<Clone, Error> {
    let session = Session::connect(&stage.source.url, "atalaya drill").await?;
    let restored = restore(&session, script).await?;
    let target = Session::connect(&stage.target.url, "atalaya drill").await?;
    for role in &restored.roles {
        make_role(&target, role).await?;
    }
    for left in &restored.left_out {
        steps.came_to(format!("LEFT OUT: {} {}: {}", left.kind, left.name, left.why));
    }
    steps.begin(format!("make up {} rows for each table, seed {}", grouped(options.rows.into()), options.seed));
    let tables = read_tables(&session).await?;
    let narrator = Arc::clone(&steps.narrator);
    let filled = fill(&session, tables, options, |done, all| {
        narrator.tell(&Event::Progress {
            what: "tables filled".to_owned(),
            done: size(done),
            all: size(all),
            bytes: false,
        });
    })
    .await?;
    for empty in &filled.empty {
        steps.came_to(format!("EMPTY: {}: {}", empty.table, empty.why));
    }
    let size_bytes: i64 =
        session.query_one("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", &[]).await?.get(0);
    steps.came_to(format!(
        "{} tables, {} made-up rows, {} with the catalog",
        filled.plans.len(),
        grouped(filled.rows),
        bytes(u64::try_from(size_bytes).unwrap_or_default())
    ));
    let moving = filled.plans.iter().filter(|plan| options.tables.matches(&plan.table.name)).count();
    if moving == 0 {
        return Err(Error::NothingToMove);
    }
    let is_free: bool = session.query_one("SELECT pg_catalog.to_regnamespace('ledger') IS NULL", &[]).await?.get(0);
    if is_free {
        Ledger::prepare(&session, LedgerSize { accounts: LEDGER_ACCOUNTS }).await?;
    } else {
        steps.came_to(
            "the schema has a `ledger` of its own, so the drill's is left out: the source alone tells what is right",
        );
    }
    let schema = Schema {
        entries: restored.entries,
        roles: size(restored.roles.len()),
        left_out: restored.left_out,
        tables: size(filled.plans.len()),
        rows: filled.rows,
        empty: filled.empty.clone(),
    };
    Ok(Clone { schema, filled, ledger: is_free })
}
