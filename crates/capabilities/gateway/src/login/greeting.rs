//! What a server reports to a session that begins with a client's settings.
//!
//! The first client with these settings asks a server, which also finds out whether they are valid; all later ones are
//! told the same without one.

use std::future::poll_fn;
use std::sync::Arc;

use atalaya_pgwire::server::Severity;
use tokio::time::timeout;

use super::LoginFailure;
use crate::database::Database;
use crate::error::{ServerAbsence, ServerFailure};
use crate::pool::Pool;
use crate::server::{Reported, Server};
use crate::settings::Settings;

pub(super) async fn reported(
    database: &Arc<Database>,
    pool: &Arc<Pool>,
    settings: Arc<Settings>,
) -> Result<(Arc<Settings>, Arc<Reported>), LoginFailure> {
    if let Some(known) = database.reported(pool, &settings) {
        return Ok(known);
    }
    let absent = |absence: ServerAbsence| LoginFailure::from(absence.refusal(Severity::Fatal));
    pass_gate(database).await.map_err(absent)?;
    let _running = Running(database);
    loop {
        let mut server = take(pool, &settings).await.map_err(absent)?;
        let limit = pool.limits().wait;
        let is_as_begun = *server.label == Settings::default();
        let adopted = timeout(limit, server.adopt(&settings)).await.unwrap_or(Err(ServerFailure::Ended));
        let Err(failure) = adopted else {
            let reported = database.remember_reported(pool, &settings, &server.reported);
            pool.put(server);
            return Ok((settings, reported));
        };
        pool.discard(server);
        if !is_as_begun {
            continue; // what another client had set may be the reason
        }
        return Err(match failure {
            ServerFailure::Refused(body) => LoginFailure::RefusedByServer(body),
            _ => crate::error::refusal(Severity::Fatal, "08006", "the server ended the connection").into(),
        });
    }
}

async fn take(pool: &Arc<Pool>, settings: &Arc<Settings>) -> Result<Box<Server>, ServerAbsence> {
    match pool.take(settings) {
        Ok(server) => Ok(server),
        Err(mut ticket) => poll_fn(|context| ticket.poll_served(context)).await,
    }
}

async fn pass_gate(database: &Database) -> Result<(), ServerAbsence> {
    while let Err(mut ticket) = database.gate.enter() {
        poll_fn(|context| ticket.poll_called(context)).await?;
    }
    Ok(())
}

/// Counted in at the gate.
struct Running<'a>(&'a Database);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.gate.leave();
    }
}
