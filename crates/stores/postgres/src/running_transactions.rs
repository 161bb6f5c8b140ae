//! Has a primary write down which transactions run, again and again, for a slot that is made on its standby.
//!
//! The background writer does so every 15 s by itself, and a primary without work not at all.

use std::convert::Infallible;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;

use crate::fence_slot::{FenceSlot, Lifetime};
use crate::{Error, Session};

const EVERY: Duration = Duration::from_millis(500);
/// How long the other way may take, which waits for open transactions after it has done what it is for.
const LIMIT: Duration = Duration::from_secs(2);
/// What the server answers to a role that may not call the function.
const NOT_ALLOWED: &str = "42501";

/// Goes on until it is dropped. That it fails is no error: the slot has a time limit of its own.
pub(crate) async fn tell(primary: &ConnectionUrl, session: &Session) -> Infallible {
    let mut may_ask = true;
    loop {
        tokio::time::sleep(EVERY).await;
        let told = if may_ask { ask(session).await } else { make_a_slot(primary).await };
        match told {
            Ok(()) => {}
            Err(error) if error.sqlstate() == Some(NOT_ALLOWED) => may_ask = false,
            Err(error) => tracing::debug!(error = %atalaya_data::chain(&error), "the primary was not asked"),
        }
    }
}

async fn ask(session: &Session) -> Result<(), Error> {
    session.batch("SELECT pg_catalog.pg_log_standby_snapshot()").await
}

/// Only superusers may call the function unless it is granted; whoever makes a logical slot has the same written.
async fn make_a_slot(primary: &ConnectionUrl) -> Result<(), Error> {
    match Box::pin(FenceSlot::open(primary, Lifetime::Temporary, LIMIT)).await {
        Ok(_) | Err(Error::OpenTransactions { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
