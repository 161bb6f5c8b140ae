//! What becomes of the server of a client that is gone.

use std::sync::Arc;
use std::time::Duration;

use atalaya_pgwire::TransactionStatus;
use tokio::time::timeout;

use super::pins::Pin;
use super::{Phase, Session};
use crate::server::Server;

/// Cleaning up after a client that left.
const CLEANING: Duration = Duration::from_secs(10);
/// A statement that nobody waits for any more is told to stop so often, and so long it may take each time.
const STOPS_MAX: u32 = 5;
const STOPPING: Duration = Duration::from_secs(1);

impl Session {
    /// A server does not notice that nobody waits for its answer; without a word it would go on with it beside the one
    /// that takes its place, and `servers_max` would bound nothing.
    fn stop_and_discard(&self, server: Box<Server>) {
        if server.expected.is_empty() || self.has_said_goodbye {
            return self.pool.discard(server);
        }
        let pool = Arc::clone(&self.pool);
        tokio::spawn(async move {
            let mut server = server;
            for _ in 0..STOPS_MAX {
                let _sent = timeout(CLEANING, server.cancel.begin().send()).await;
                // A request that comes before the statement does is read over; so its end is waited for.
                if timeout(STOPPING, server.run("")).await.is_ok() {
                    break;
                }
            }
            pool.discard(server);
        });
    }

    /// The client is gone. What it was in the middle of ends with its server's session.
    pub(super) fn abandon_server(&mut self) {
        if self.phase.is_running() {
            self.phase = Phase::Outside;
            self.database.gate.leave();
            *self.cancelling.server.lock() = None;
            if let Some(server) = self.server.take() {
                self.stop_and_discard(server);
            }
            return;
        }
        *self.cancelling.server.lock() = None;
        let Some(mut server) = self.server.take() else { return };
        if server.status != TransactionStatus::Idle || self.pins.has(Pin::Unseen) || !server.expected.is_empty() {
            return self.pool.discard(server);
        }
        let pool = Arc::clone(&self.pool);
        tokio::spawn(async move {
            match timeout(CLEANING, server.run("DISCARD ALL")).await {
                Ok(Ok(())) => {
                    server.names.clear();
                    server.own_named.clear();
                    server.to_close.clear();
                    server.unnamed = 0;
                    server.label = Arc::default();
                    pool.put(server);
                }
                _ => pool.discard(server),
            }
        });
    }
}
