//! What Postgres's errors mean here, and which are worth another try.

use std::sync::Arc;
use std::time::Duration;

use atalaya_postgres::Retry;

use crate::Error;

/// For `map_err` on what waits for no other writer.
pub(crate) fn failed(action: &'static str) -> impl Fn(atalaya_postgres::Error) -> Error {
    move |source| {
        let full = source.sqlstate() == Some("53100");
        let error = Error::Postgres { action, source: Arc::new(source) };
        if full { Error::NoRoom { source: Box::new(error) } } else { error }
    }
}

/// For `map_err` on what waits for other writers.
pub(crate) fn held(action: &'static str, limit: Duration) -> impl Fn(atalaya_postgres::Error) -> Error {
    move |source| if source.sqlstate() == Some("55P03") { Error::Held { limit } } else { failed(action)(source) }
}

/// Whether the same again, on a new connection, can end better.
pub(super) fn is_passing(error: &Error) -> bool {
    match error {
        Error::Slow { .. } => true,
        Error::Postgres { source, .. } => {
            // 25P03 and 25P04: this process rested too long within its transaction, which is over.
            source.retry() != Retry::Never || matches!(source.sqlstate(), Some("25P03" | "25P04"))
        }
        _ => false,
    }
}

/// Whether the session lives on after an error: the server has answered, and did not say that it ends.
pub(super) fn is_alive(error: &Error) -> bool {
    match error {
        Error::Postgres { source, .. } => {
            source.sqlstate().is_some() && source.retry() != Retry::Reconnect && !is_passing_state(source.sqlstate())
        }
        Error::NoRoom { source } => is_alive(source),
        Error::Held { .. } | Error::Damaged { .. } | Error::BeyondHead { .. } | Error::OtherHistory { .. } => true,
        _ => false,
    }
}

fn is_passing_state(state: Option<&str>) -> bool {
    matches!(state, Some("25P03" | "25P04"))
}
