//! Whether both servers still answer: a connection whose other end vanished without a word says nothing at all, and
//! what waits on it would wait for ever.
//!
//! TCP's own keepalive finds a dead machine, but no proxy that keeps the socket open, and no server that hangs. Only
//! silence counts here: a connection that breaks or is refused is an answer, and whoever works on one like it hears
//! the same.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::wire::WireError;
use atalaya_postgres::{Error, Session};
use tokio::time::{Instant, sleep, timeout};

use crate::Plan;

/// Questions within the limit.
const QUESTIONS: u32 = 4;

/// Asks both servers again and again, each on a connection of its own; returns when one is silent for too long.
pub(super) async fn watch(plan: &Plan) -> crate::Error {
    tokio::select! {
        error = ask(plan, &plan.source, "source") => error,
        error = ask(plan, &plan.target, "target") => error,
    }
}

/// The same for the standby that rows are read from, as long as they are; for ever where there is none.
pub(super) async fn watch_standby(plan: &Plan) -> crate::Error {
    match &plan.options.snapshot_from {
        Some(url) => ask(plan, url, "standby").await,
        None => std::future::pending().await,
    }
}

async fn ask(plan: &Plan, url: &ConnectionUrl, side: &'static str) -> crate::Error {
    let limit = plan.options.silence_timeout;
    let mut session = None;
    let mut answered = Instant::now();
    loop {
        match timeout(limit, question(&mut session, url, &plan.name)).await {
            Ok(Err(Error::Wire(WireError::ConnectTimeout { .. }))) | Err(_) => session = None,
            Ok(Err(_)) => (session, answered) = (None, Instant::now()),
            Ok(Ok(())) => answered = Instant::now(),
        }
        if answered.elapsed() >= limit {
            return crate::Error::Silent { side, limit };
        }
        sleep(limit / QUESTIONS).await;
    }
}

async fn question(session: &mut Option<Session>, url: &ConnectionUrl, name: &str) -> Result<(), Error> {
    let session = match session {
        Some(session) => session,
        None => session.insert(Session::connect(url, &format!("atalaya pulse {name}")).await?),
    };
    session.batch("SELECT 1").await
}
