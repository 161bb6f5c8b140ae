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
use crate::snapshot::Reading;

/// Questions within the limit.
const QUESTIONS: u32 = 4;

/// Asks both servers again and again, each on a connection of its own; returns when one is silent for too long. The
/// connections are opened at once, not when they are first needed: what keeps old ones silent may let new ones through.
pub(super) async fn watch(plan: &Plan) -> crate::Error {
    tokio::select! {
        error = ask(plan, &plan.source, "source") => error,
        error = ask(plan, &plan.target, "target") => error,
    }
}

/// Does what needs a standby, where there is one, for as long as that one answers. What needs none must not be part of
/// `work`: it would end with a standby that nobody asks for anything.
pub(super) async fn beside_standby<T>(
    plan: &Plan,
    standby: Option<&ConnectionUrl>,
    work: impl Future<Output = Result<T, crate::Error>>,
) -> Result<T, crate::Error> {
    let Some(url) = standby else { return work.await };
    tokio::select! {
        done = work => done,
        silent = ask(plan, url, "standby") => Err(silent),
    }
}

/// Opens the server that rows are read from.
pub(super) async fn open_reading<'a>(plan: &'a Plan, source: &'a Session) -> Result<Reading<'a>, crate::Error> {
    beside_standby(plan, plan.options.snapshot_from.as_ref(), Reading::open(plan, source)).await
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
