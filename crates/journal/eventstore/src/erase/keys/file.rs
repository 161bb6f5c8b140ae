//! The key store's file: how it is made, opened and read.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, params};
use uuid::Uuid;

use crate::erase::error::failed;
use crate::erase::{ErasureError, KeyId};
use crate::secret;

const FORMAT: i64 = 1;
const OPENING: &str = "opening";
/// How long others may hold the file.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
CREATE TABLE store (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    id      BLOB    NOT NULL,
    master  BLOB    NOT NULL,
    unclean INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    id      BLOB PRIMARY KEY,
    subject BLOB NOT NULL UNIQUE,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE erasures (
    number    INTEGER PRIMARY KEY,
    id        BLOB    NOT NULL UNIQUE,
    announced INTEGER NOT NULL
) STRICT;

CREATE TABLE dropped (
    number  INTEGER PRIMARY KEY,
    id      BLOB    NOT NULL UNIQUE,
    erasure INTEGER NOT NULL REFERENCES erasures (number)
) STRICT;
";

/// Makes the file, which must not be there.
pub(super) fn create(path: &Path, master: &Uuid) -> Result<(), ErasureError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|_| ErasureError::NotMade)?;
    let mut connection = connect(path)?;
    let making = "making";
    let transaction = super::begin(&mut connection)?;
    transaction.execute_batch(SCHEMA).map_err(failed(making))?;
    let id = Uuid::new_v4();
    transaction
        .execute(
            "INSERT INTO store (only, id, master, unclean) VALUES (1, ?1, ?2, 0)",
            params![id.as_bytes(), master.as_bytes()],
        )
        .map_err(failed(making))?;
    transaction.pragma_update(None, "user_version", FORMAT).map_err(failed(making))?;
    transaction.commit().map_err(failed(making))?;
    secret::sync_folder(path).map_err(|_| ErasureError::NotMade)
}

/// Opens the file, which must be there.
pub(super) fn open(path: &Path) -> Result<Connection, ErasureError> {
    let connection = connect(path)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed(OPENING))?;
    if found == FORMAT { Ok(connection) } else { Err(ErasureError::Format { found }) }
}

fn connect(path: &Path) -> Result<Connection, ErasureError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed(OPENING))?;
    connection.busy_timeout(LOCK_LIMIT).map_err(failed(OPENING))?;
    // The answer is the mode; one that cannot be had shows when something is written.
    let set = |name: &str, value: &dyn rusqlite::ToSql| {
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).map_err(failed(OPENING))
    };
    set("journal_mode", &"WAL")?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed(OPENING))?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed(OPENING))?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(failed(OPENING))?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed(OPENING))?;
    // What is deleted is overwritten in its page.
    set("secure_delete", &true)?;
    Ok(connection)
}

/// Which key store this is.
pub(super) fn identity(transaction: &Transaction<'_>) -> Result<Uuid, ErasureError> {
    uuid(transaction, "SELECT id FROM store")
}

/// Which master key its keys are wrapped by.
pub(super) fn master_id(transaction: &Transaction<'_>) -> Result<Uuid, ErasureError> {
    uuid(transaction, "SELECT master FROM store")
}

fn uuid(transaction: &Transaction<'_>, sql: &str) -> Result<Uuid, ErasureError> {
    let bytes: Vec<u8> = transaction
        .prepare_cached(sql)
        .and_then(|mut select| select.query_row([], |row| row.get(0)))
        .map_err(failed("reading which it is"))?;
    Uuid::from_slice(&bytes).map_err(|_| ErasureError::Damaged { seen: "an identity has another length" })
}

/// A key's id as it is stored.
pub(super) fn key_id(bytes: &[u8]) -> Result<KeyId, ErasureError> {
    let id = Uuid::from_slice(bytes).map_err(|_| ErasureError::Damaged { seen: "an identity has another length" });
    id.map(KeyId::from_uuid)
}

/// Writes the file anew without old pages, and empties the log. Fails while somebody reads.
pub(super) fn clean(connection: &Connection) -> Result<(), ErasureError> {
    let cleaning = "removing old pages";
    connection.execute_batch("VACUUM").map_err(failed(cleaning))?;
    empty_log(connection)?;
    connection.execute("UPDATE store SET unclean = 0", []).map_err(failed(cleaning))?;
    empty_log(connection)
}

fn empty_log(connection: &Connection) -> Result<(), ErasureError> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(failed("emptying the log"))?;
    if busy == 0 { Ok(()) } else { Err(ErasureError::Busy) }
}

/// Whether old pages wait for being removed.
pub(super) fn is_unclean(connection: &Connection) -> Result<bool, ErasureError> {
    connection.query_row("SELECT unclean FROM store", [], |row| row.get(0)).map_err(failed("reading which it is"))
}
