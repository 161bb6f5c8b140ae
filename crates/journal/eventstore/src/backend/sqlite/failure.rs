//! What SQLite's errors mean here.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::Error;

/// For `map_err` on what cannot meet a lock.
pub(crate) fn failed(action: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |source| {
        let full = is_full(&source);
        let error = Error::Sqlite { action, source: Arc::new(source) };
        if full { Error::NoRoom { source: Box::new(error) } } else { error }
    }
}

/// For `map_err` on what waits for other writers.
pub(crate) fn held(action: &'static str, limit: Duration) -> impl Fn(rusqlite::Error) -> Error {
    move |source| match source.sqlite_error_code() {
        // The last one: others took and left the log while we looked at it, again and again.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::Held { limit }
        }
        _ => failed(action)(source),
    }
}

/// A file that may not grow any more, by a limit of the process for one, is a write that fails.
fn is_full(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || code == Some(rusqlite::ffi::SQLITE_IOERR_WRITE)
}
