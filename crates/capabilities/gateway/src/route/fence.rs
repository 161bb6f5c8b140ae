//! The connection by which a server that was left lets clients in again.
//!
//! It is opened before anything is fenced, as the role of the estate's URL, which a fence leaves in.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::control::{client_fence, lift_client_fence};
use atalaya_postgres::settings::DURABLE;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Its name in `pg_stat_activity`.
const APPLICATION: &str = "atalaya gateway fence";
/// A lift waits for others that lift, too, and for nobody else.
const LIMITS: &str = "SET statement_timeout = 4000; SET lock_timeout = 3000";
/// From 14 on a server may end sessions that say nothing.
const MAY_BE_IDLE: &str = "SET idle_session_timeout = 0";
const ANSWER: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Fence {
    session: Mutex<Option<Session>>,
}

/// What the server knows a connection by.
pub(super) struct Identity {
    pub(super) process_id: i32,
    pub(super) session_user: String,
}

impl Fence {
    /// One that has no connection yet.
    pub(super) fn unconnected() -> Self {
        Self { session: Mutex::const_new(None) }
    }

    /// Connects, and tells what the server knows the connection by.
    pub(super) async fn connect(url: &ConnectionUrl) -> Result<(Self, Identity), String> {
        let connecting = async {
            let session = open(url).await?;
            let known = session.query_one("SELECT pg_catalog.pg_backend_pid(), session_user::text", &[]).await?;
            let identity = Identity { process_id: known.get(0), session_user: known.get(1) };
            Ok((Self { session: Mutex::new(Some(session)) }, identity))
        };
        in_time(connecting).await
    }

    /// Lets clients in at a server that an epoch before this one has led them away from.
    pub(super) async fn admit(&self, url: &ConnectionUrl, route: &str, epoch: u64) -> Result<(), String> {
        self.over(url, Deed::Admit { route, before: epoch.saturating_sub(1) }).await
    }

    /// Runs the statements as one batch.
    pub(super) async fn lift(&self, url: &ConnectionUrl, statements: &[String]) -> Result<(), String> {
        self.over(url, Deed::Lift { batch: statements.join(";\n") }).await
    }

    /// Does it over the connection that was kept, and over another one when that is lost.
    async fn over(&self, url: &ConnectionUrl, deed: Deed<'_>) -> Result<(), String> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.take_if(|session| !session.is_closed())
            && in_time(deed.done_by(&session)).await.is_ok()
        {
            *kept = Some(session);
            return Ok(());
        }
        let again = async {
            let session = open(url).await?;
            deed.done_by(&session).await?;
            Ok(session)
        };
        *kept = Some(in_time(again).await?);
        Ok(())
    }
}

/// What a fence's connection is for.
enum Deed<'a> {
    Admit { route: &'a str, before: u64 },
    Lift { batch: String },
}

impl Deed<'_> {
    async fn done_by(&self, session: &Session) -> Result<(), atalaya_postgres::Error> {
        match self {
            Self::Admit { route, before } => lift_client_fence(session, route, *before).await.map(drop),
            Self::Lift { batch } => session.batch(batch).await,
        }
    }
}

/// Whether everybody is kept out of a server that clients are to be led to: they were led away from it before.
pub(super) async fn stands(url: &ConnectionUrl, route: &str) -> Result<bool, String> {
    in_time(async { Ok(client_fence(&open(url).await?, route).await?.is_up()) }).await
}

async fn open(url: &ConnectionUrl) -> Result<Session, atalaya_postgres::Error> {
    let session = Session::connect(url, APPLICATION).await?;
    // A fence that a crash of the server brings back would keep everybody out.
    session.batch(&format!("{LIMITS}; {DURABLE}")).await?;
    if session.major() >= 14 {
        session.batch(MAY_BE_IDLE).await?;
    }
    Ok(session)
}

async fn in_time<T>(asked: impl Future<Output = Result<T, atalaya_postgres::Error>>) -> Result<T, String> {
    match timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|error| atalaya_data::chain(&error)),
        Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
    }
}
