//! From an accepted socket to a session: encryption, the startup packet, the password exchange, the greeting.

#[cfg(test)]
mod arbitrary;
mod authenticate;
mod first;
mod greeting;
mod startup;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use atalaya_pgwire::CodecError;
use atalaya_pgwire::server::{Refusal, ScramFailure, Severity, StartupRequest, reply};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::configuration::Patience;
use crate::error::refusal;
use crate::gateway::{Gateway, Seat};
use crate::io::ClientStream;
use crate::session::Session;

use first::First;

/// Why a login came to nothing.
#[derive(Debug, thiserror::Error)]
enum LoginFailure {
    /// The client is told.
    #[error("refused")]
    Refused(Box<Refusal>),
    /// The client is told in the words of the server.
    #[error("refused by the server")]
    RefusedByServer(Vec<u8>),
    #[error("the client broke the protocol")]
    Protocol(#[from] CodecError),
    #[error("the password exchange failed")]
    Scram(#[from] ScramFailure),
    #[error("the connection to the client failed")]
    Io(#[from] io::Error),
}

impl From<Refusal> for LoginFailure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Lets a client in; `None` when it was not for a session, or was refused.
pub(crate) async fn log_in(stream: ClientStream, gateway: Arc<Gateway>) -> Option<Session> {
    let at_door = gateway.door()?;
    let first = match timeout(Patience::LOGIN, first::read(stream, &gateway)).await {
        Ok(Ok(First::Session { stream, request })) => (stream, request),
        Ok(Ok(First::Nothing)) => return None,
        // A client that is no client of ours gets no answer that it would not understand.
        Ok(Err(None)) | Err(_) => return None,
        Ok(Err(Some((stream, refusal)))) => {
            tell(stream, &refusal).await;
            return None;
        }
    };
    drop(at_door);
    let (mut stream, request) = first;
    let failure = match let_in(&mut stream, &request, &gateway).await {
        Ok(parts) => return Some(Session::new(stream, parts)),
        Err(failure) => failure,
    };
    let database = gateway.database(request.database());
    if let Some(database) = &database {
        database.statistics.logins_refused.add(1);
    }
    match failure {
        LoginFailure::Refused(refusal) => {
            tracing::info!(sqlstate = refusal.sqlstate, reason = refusal.message, "login refused");
            tell(stream, &refusal).await;
        }
        LoginFailure::RefusedByServer(body) => tell_in_words_of_server(stream, &body).await,
        LoginFailure::Protocol(error) => {
            tell(stream, &refusal(Severity::Fatal, error.sqlstate(), error.to_string())).await;
        }
        LoginFailure::Scram(failure) => {
            let text = match failure.sqlstate() {
                "28P01" => format!("password authentication failed for user \"{}\"", request.user()),
                _ => failure.to_string(),
            };
            tell(stream, &refusal(Severity::Fatal, failure.sqlstate(), text)).await;
        }
        LoginFailure::Io(error) => tracing::debug!(error = error.to_string(), "a client left during its login"),
    }
    None
}

/// What a session begins with.
pub(crate) struct LoggedIn {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) database: Arc<crate::database::Database>,
    pub(crate) pool: Arc<crate::pool::Pool>,
    pub(crate) settings: Arc<crate::settings::Settings>,
    pub(crate) reported: Arc<crate::server::Reported>,
    pub(crate) cancelling: Arc<crate::cancel::Cancelling>,
    pub(crate) process_id: i32,
    pub(crate) seat: Seat,
}

async fn let_in(
    stream: &mut ClientStream,
    request: &StartupRequest,
    gateway: &Arc<Gateway>,
) -> Result<LoggedIn, LoginFailure> {
    let seat = gateway.seat().ok_or_else(|| refusal(Severity::Fatal, "53300", "sorry, too many clients already"))?;
    startup::refuse_replication(request)?;
    let settings = startup::settings(request)?;
    let minor = startup::negotiate(stream, request).await?;
    let exchange = authenticate::authenticate(stream, request.user(), gateway);
    let expired = || refusal(Severity::Fatal, "08P01", "the login took too long");
    timeout(Patience::LOGIN, exchange).await.map_err(|_| expired())??;
    let database = gateway.database(request.database()).ok_or_else(|| {
        refusal(Severity::Fatal, "3D000", format!("database \"{}\" does not exist", request.database()))
    })?;
    let pool = database.pool(request.user()).ok_or_else(|| {
        let text = format!("user \"{}\" has no access to database \"{}\"", request.user(), request.database());
        refusal(Severity::Fatal, "28000", text)
    })?;
    let (settings, reported) = greeting::reported(&database, &pool, Arc::new(settings)).await?;
    let cancelling = Arc::default();
    let key = gateway.cancel_keys.register(&cancelling, minor);
    let mut out = Vec::with_capacity(512);
    reply::authentication_ok(&mut out);
    for (name, value) in reported.iter() {
        reply::parameter_status(name, value, &mut out);
    }
    reply::backend_key_data(key.process_id, &key.secret, &mut out);
    reply::ready_for_query(atalaya_pgwire::TransactionStatus::Idle, &mut out);
    let parts = LoggedIn {
        gateway: Arc::clone(gateway),
        database,
        pool,
        settings,
        reported,
        cancelling,
        process_id: key.process_id,
        seat,
    };
    parts.database.statistics.clients.fetch_add(1, Ordering::Relaxed);
    let guard = CountedIn(&parts);
    stream.write_all(&out).await?;
    stream.flush().await?;
    std::mem::forget(guard);
    parts.database.statistics.logins.add(1);
    Ok(parts)
}

/// Takes back what a session would at its end, when there is none.
struct CountedIn<'a>(&'a LoggedIn);

impl Drop for CountedIn<'_> {
    fn drop(&mut self) {
        self.0.database.statistics.clients.fetch_sub(1, Ordering::Relaxed);
        self.0.gateway.cancel_keys.forget(self.0.process_id);
    }
}

/// Sends a last error; the socket closes with the stream.
async fn tell(stream: ClientStream, refusal: &Refusal) {
    let mut out = Vec::new();
    reply::error(refusal, &mut out);
    send_last(stream, &out).await;
}

async fn tell_in_words_of_server(stream: ClientStream, body: &[u8]) {
    let mut out = Vec::new();
    reply::error_body(body, &mut out);
    send_last(stream, &out).await;
}

async fn send_last(mut stream: ClientStream, out: &[u8]) {
    let _sent = timeout(Patience::GOODBYE, async {
        stream.write_all(out).await?;
        stream.shutdown().await
    })
    .await;
}
