//! Connections to the file, with the settings that durability rests on.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::failure::{failed, held};
use crate::Error;

/// Waiting for a lock begins with short naps, since a commit takes less than a millisecond on a good disk, and ends
/// with ones that do not keep a processor busy.
const NAPS: [Duration; 6] = [
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
];
/// The log is cut back to this size once it has been larger.
const LOG_BYTES: i64 = 64 << 20;
const STATEMENTS: usize = 64;
/// What is done while a connection is opened, for errors.
const SETTING: &str = "setting up a connection";

/// A connection that writes.
pub(crate) fn open(path: &Path, lock_limit: Duration) -> Result<Connection, Error> {
    until_free(lock_limit, |left| {
        let connection = connect(path, left)?;
        let held = || held(SETTING, lock_limit);
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(held())?;
        if mode != "wal" {
            return Err(Error::Unsuitable { reason: "its file system does not allow a write-ahead log" });
        }
        connection.pragma_update(None, "synchronous", "FULL").map_err(held())?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES).map_err(held())?;
        common(&connection, lock_limit)?;
        Ok(connection)
    })
}

/// A connection that only reads.
pub(super) fn open_to_read(path: &Path, lock_limit: Duration) -> Result<Connection, Error> {
    until_free(lock_limit, |left| {
        let connection = connect(path, left)?;
        connection.pragma_update(None, "query_only", true).map_err(held(SETTING, lock_limit))?;
        common(&connection, lock_limit)?;
        Ok(connection)
    })
}

/// SQLite says that a file is busy at once where waiting could be for ever: of two that make the log of a new file each
/// holds what the other one needs. All is let go of then, and begun anew.
fn until_free(
    limit: Duration,
    mut opening: impl FnMut(Duration) -> Result<Connection, Error>,
) -> Result<Connection, Error> {
    let since = Instant::now();
    loop {
        match opening(limit.saturating_sub(since.elapsed())) {
            Err(Error::Held { .. }) if since.elapsed() < limit => std::thread::sleep(apart()),
            // From here on it waits for as long as any other.
            Ok(mut opened) => {
                patient(&mut opened, limit)?;
                return Ok(opened);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A pause that is another one in each process and thread, so that they do not meet again.
fn apart() -> Duration {
    let nanoseconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    Duration::from_micros(500 + u64::from(nanoseconds / 1000 + std::process::id()) % 4000)
}

fn connect(path: &Path, lock_limit: Duration) -> Result<Connection, Error> {
    // One that only reads, too: who comes first after a crash has to recover the log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed("opening"))?;
    patient(&mut connection, lock_limit)?;
    Ok(connection)
}

fn common(connection: &Connection, lock_limit: Duration) -> Result<(), Error> {
    let held = || held(SETTING, lock_limit);
    connection.pragma_update(None, "cache_size", -16_384).map_err(held())?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(held())?;
    // Triggers and views in a file that somebody else made run nothing but what SQLite itself defines.
    connection.pragma_update(None, "trusted_schema", false).map_err(held())?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Waits for locks up to the limit. SQLite's own waiting sleeps up to 100 ms, in which others come first again and
/// again.
fn patient(connection: &mut Connection, limit: Duration) -> Result<(), Error> {
    let mut since = Instant::now();
    let handler = move |count: i32| {
        if count == 0 {
            since = Instant::now();
        }
        if since.elapsed() >= limit {
            return false;
        }
        let step = usize::try_from(count).unwrap_or(usize::MAX) / 4;
        std::thread::sleep(NAPS.get(step).or(NAPS.last()).copied().unwrap_or_default());
        true
    };
    connection.busy_handler(Some(handler)).map_err(failed(SETTING))
}
