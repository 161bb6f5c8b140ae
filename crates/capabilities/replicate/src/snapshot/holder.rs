//! Starting, checking and ending the holder; the run's side.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use atalaya_postgres::Session;

use super::{HoldRequest, Reading};
use crate::Error;
use crate::progress::{StoredBackend, StoredSnapshot};

/// The program that is started to hold a snapshot: it reads a [`HoldRequest`] as JSON on its standard input
/// and answers with one line of JSON.
#[derive(Clone, Debug)]
pub struct HolderCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; never a secret.
    pub arguments: Vec<OsString>,
}

/// What a holder answers when it cannot hold.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Answer {
    Held(StoredSnapshot),
    Failed { error: String },
}

/// Starts a holder; the snapshot and position it answers with match by construction.
pub(crate) async fn start_holder(command: &HolderCommand, request: &HoldRequest) -> Result<StoredSnapshot, Error> {
    let limit = request.limit();
    let failed = |reason| failed(reason, request.is_on_standby());
    let command = command.clone();
    let text = serde_json::to_vec(request).map_err(|_| Error::Broken("a hold request cannot be written"))?;
    let answering = tokio::task::spawn_blocking(move || ask(&command, &text));
    let answer = tokio::time::timeout(limit, answering)
        .await
        .map_err(|_| failed("no answer in time".to_owned()))?
        .map_err(|_| failed("it could not be waited for".to_owned()))?
        .map_err(failed)?;
    match serde_json::from_str(&answer) {
        Ok(Answer::Held(snapshot)) => Ok(snapshot),
        Ok(Answer::Failed { error }) => Err(failed(error)),
        Err(_) => Err(failed("it ended without an answer".to_owned())),
    }
}

fn ask(command: &HolderCommand, request: &[u8]) -> Result<String, String> {
    let io = |error: std::io::Error| atalaya_data::chain(&error);
    // A process group of its own, so that an interrupt at the terminal does not reach it.
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(io)?;
    let mut input = child.stdin.take().ok_or_else(|| "it has no standard input".to_owned())?;
    input.write_all(request).map_err(io)?;
    drop(input);
    let output = child.stdout.take().ok_or_else(|| "it has no standard output".to_owned())?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).map_err(io)?;
    // Reaped when it ends, which may be long after this run's part in it.
    std::thread::spawn(move || child.wait());
    Ok(line)
}

fn failed(reason: String, is_on_standby: bool) -> Error {
    let hint = if is_on_standby {
        "look at the standby's log, and for old transactions in pg_stat_activity and pg_prepared_xacts on the source: a new \
         slot waits for them; then start again"
    } else {
        "look for old transactions in pg_stat_activity and pg_prepared_xacts on the source: a new slot waits for them"
    };
    Error::Program { program: "the snapshot's holder", reason, hint }
}

/// Whether the holder is the very one that exported the snapshot, and still there; never, where the snapshot is held
/// elsewhere than rows are read from.
///
/// To be asked after the import: a snapshot's name can come again after a restart of the server, but then
/// this backend has gone.
pub(crate) async fn is_held(reading: &Reading<'_>, snapshot: &StoredSnapshot) -> Result<bool, Error> {
    match (reading, &snapshot.standby) {
        (Reading::Source { session, .. }, None) => is_alive(session, &snapshot.holder, "true").await,
        // A standby that was promoted holds it on, but may have replayed another log by now.
        (Reading::Standby { session, .. }, Some(backend)) => {
            is_alive(session, backend, "pg_catalog.pg_is_in_recovery()").await
        }
        _ => Ok(false),
    }
}

async fn is_alive(session: &Session, backend: &StoredBackend, also: &str) -> Result<bool, Error> {
    let row = session
        .query_one(
            &format!(
                "SELECT {also} AND EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity($1) AS a
                                            WHERE a.pid = $1 AND a.backend_start::text = $2)"
            ),
            &[&backend.pid, &backend.start],
        )
        .await?;
    Ok(row.get(0))
}

/// What a migration's holders call themselves on the source; its name is short enough to stay whole.
pub(crate) fn holder_name(migration: &str) -> String {
    format!("atalaya snapshot {migration}")
}

/// Ends every holder of a migration, and whatever backend uses its slot if that is given; waits until they are
/// gone. For a run that was killed before it wrote down which holder is its own: that one's transaction would keep
/// the source from cleaning up for as long as it lives. Only to be called by whoever holds the migration's lock.
pub(crate) async fn end_holders(source: &Session, migration: &str, slot: Option<&str>) -> Result<(), Error> {
    const TRIES: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(100);
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let left = source
            .query(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM (
                     SELECT pid FROM pg_catalog.pg_stat_activity
                      WHERE application_name = $1 AND datname = pg_catalog.current_database()
                      UNION
                     SELECT active_pid FROM pg_catalog.pg_replication_slots WHERE slot_name = $2 AND active
                 ) AS holders WHERE pid IS NOT NULL",
                &[&holder_name(migration), &slot],
            )
            .await?;
        if left.is_empty() {
            return Ok(());
        }
    }
    Err(Error::refused(
        "holder-stays",
        format!("an earlier run's holder of a snapshot of `{migration}` does not end"),
        "look for `atalaya snapshot` and `atalaya fence` in pg_stat_activity on the source and end them",
    ))
}

/// Ends the holder's backend on the source, upon which its process ends too.
pub(crate) async fn release(source: &Session, snapshot: &StoredSnapshot) -> Result<(), Error> {
    if is_alive(source, &snapshot.holder, "true").await? {
        source.query("SELECT pg_catalog.pg_terminate_backend($1)", &[&snapshot.holder.pid]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_s_name_is_shown_whole() {
        assert_eq!(holder_name("shop"), "atalaya snapshot shop");
        let longest = "x".repeat(39);
        assert!(longest.parse::<atalaya_data::MigrationName>().is_ok());
        // What a server keeps of `application_name`.
        assert!(holder_name(&longest).len() <= 63);
    }
}
