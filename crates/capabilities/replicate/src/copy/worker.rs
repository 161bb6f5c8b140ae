//! A worker: takes jobs until none is left; one snapshot, a connection a side.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use atalaya_data::quote_literal;
use atalaya_postgres::settings;
use atalaya_postgres::wire::{CopyTotals, WireConnection, WireError, WireOptions, pipe_copy};
use futures_util::future::try_join;
use tokio::task::JoinSet;

use super::Shared;
use super::job::Job;
use crate::ddl::name_and_file;
use crate::report::Event;
use crate::{Error, snapshot};

pub(super) async fn work(shared: &Shared<'_>, number: usize) -> Result<(), Error> {
    let plan = shared.plan;
    let name = format!("atalaya copy {}", plan.name);
    let options =
        WireOptions { application_name: name.clone(), settings: settings::as_pairs(), ..WireOptions::default() };
    let connect = |url| WireConnection::connect(url, &options);
    let (mut source, mut target) = try_join(connect(shared.reading.url()), connect(&plan.target)).await?;
    let lock_limit = settings::lock_limit_sql(plan.options.lock_limit);
    source.simple_query(&lock_limit).await?;
    source.simple_query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let import = format!("SET TRANSACTION SNAPSHOT {}", quote_literal(&shared.snapshot.name));
    let imported = source.simple_query(&import).await;
    // After the import: only then does a living holder prove that the snapshot was its own.
    if !snapshot::is_held(shared.reading, shared.snapshot).await? {
        return Err(Error::SnapshotLost);
    }
    imported?;
    target.simple_query(&format!("SET synchronous_commit = off; {lock_limit}")).await?;
    if shared.replica {
        // Triggers and foreign keys that the target has already are the source's business.
        target.simple_query("SET session_replication_role = replica").await?;
    }
    let mut connections = Connections { source, target };
    loop {
        shared.pass_gate().await?;
        let Some(job) = shared.jobs.lock().await.pop_front() else { return Ok(()) };
        connections = load(shared, number, connections, &job).await?;
    }
}

/// A worker's own, for as long as none of them has failed.
struct Connections {
    source: WireConnection,
    target: WireConnection,
}

async fn load(
    shared: &Shared<'_>,
    number: usize,
    mut connections: Connections,
    job: &Job,
) -> Result<Connections, Error> {
    let migration = quote_literal(&shared.plan.name);
    let truncate = job.truncate();
    connections
        .target
        .simple_query(&format!(
            "BEGIN; UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = {migration} AND writer = {number}; {truncate}"
        ))
        .await?;
    // The table's lock goes with the savepoint: a copied table is not held until the worker's last.
    connections.source.simple_query("SAVEPOINT job").await?;
    let failpoints = &shared.plan.options.failpoints;
    failpoints.reach("copy-begun");
    let (Connections { mut source, mut target }, totals) = pass(shared, connections, job).await?;
    failpoints.reach("copy-loaded");
    refuse_rewritten(shared, job).await?;
    source.simple_query("ROLLBACK TO SAVEPOINT job").await?;
    let table = &job.source.name;
    let (schema, name) = (quote_literal(&table.schema), quote_literal(&table.name));
    // One that was asked for again meanwhile has no position: it is copied once more, whatever was loaded.
    let of_table = format!("migration = {migration} AND schema = {schema} AND name = {name}");
    let of_snapshot = format!("{of_table} AND start_lsn = '{}'", shared.snapshot.lsn);
    let added = format!("copied_rows = copied_rows + {}, copied_bytes = copied_bytes + {}", totals.rows, totals.bytes);
    let finished = match &job.range {
        None => format!("UPDATE atalaya.tables SET state = 'done', ranges = 1, {added} WHERE {of_snapshot}"),
        // Ranges end in any order: whoever finds all of them done closes the table, on the row's lock.
        Some(range) => format!(
            "UPDATE atalaya.tables SET {added} WHERE {of_table};
             UPDATE atalaya.copy_ranges SET done = true WHERE {of_table} AND range = {};
             UPDATE atalaya.tables SET state = 'done' WHERE {of_snapshot}
                AND NOT EXISTS (SELECT FROM atalaya.copy_ranges WHERE {of_table} AND NOT done)",
            range.number
        ),
    };
    target.simple_query(&finished).await?;
    failpoints.reach("copy-marked");
    target.simple_query("COMMIT").await?;
    failpoints.reach("copy-committed");
    shared.rows.fetch_add(totals.rows, Ordering::Relaxed);
    if let Some(left) = shared.left.get(table) {
        let rows = left.rows.fetch_add(totals.rows, Ordering::Relaxed) + totals.rows;
        if left.jobs.fetch_sub(1, Ordering::Relaxed) == 1 {
            shared.observer.observe(&Event::TableCopied { table: table.clone(), rows });
        }
    }
    Ok(Connections { source, target })
}

/// Passes the rows on, in a task of its own: the thread that is woken by a socket is then the one that passes on what it
/// holds, and several workers have several threads.
async fn pass(shared: &Shared<'_>, connections: Connections, job: &Job) -> Result<(Connections, CopyTotals), Error> {
    let Connections { mut source, mut target } = connections;
    let (copy_out, copy_in) = (job.copy_out(), job.copy_in());
    let (bytes, failpoints) = (Arc::clone(&shared.bytes), shared.plan.options.failpoints.clone());
    // Ends with whoever waits for it.
    let mut task = JoinSet::new();
    task.spawn(async move {
        let passed = |more| {
            bytes.fetch_add(more, Ordering::Relaxed);
            failpoints.reach("copy-passing");
        };
        let totals = pipe_copy(&mut source, &copy_out, &mut target, &copy_in, passed).await?;
        Ok((Connections { source, target }, totals))
    });
    let passed: Result<_, WireError> =
        task.join_next().await.and_then(Result::ok).ok_or(Error::Broken("the task of a table's copy ended"))?;
    passed.map_err(|error| shared.reading.copy_failed(job.source.name.clone(), error.into()))
}

/// A table that was rewritten since the snapshot may show it no row, and rows are at other places than its ranges say.
/// Asked where the rows are read, while the copy's lock keeps it from being rewritten again there.
async fn refuse_rewritten(shared: &Shared<'_>, job: &Job) -> Result<(), Error> {
    let Some(was) = &job.definition else { return Ok(()) };
    let now = name_and_file(shared.reading.session(), was.oid).await?;
    if now.is_some_and(|(name, file)| name == job.source.name && file == was.filenode) {
        return Ok(());
    }
    // From here on no snapshot is held: tables that are not finished begin anew with the next one.
    snapshot::release(shared.source, shared.snapshot).await?;
    Err(Error::SnapshotLost)
}
