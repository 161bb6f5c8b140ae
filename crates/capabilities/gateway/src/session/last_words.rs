//! Why a session ends, and what its client is told of that.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use atalaya_pgwire::CodecError;
use tokio::io::AsyncWrite;

use super::{Phase, Session};

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said goodbye.
    Goodbye,
    /// Its socket has ended without a word.
    Left,
    /// The client broke the protocol.
    Client(CodecError),
    /// The server ended or broke the protocol.
    Server,
    /// The database has moved away from the server that the session is bound to.
    Moved,
    /// What bound the session to its server's session is gone with that.
    Lost,
    /// The gateway ends.
    Stopping,
    /// The client's socket failed.
    Io(io::Error),
}

impl From<CodecError> for End {
    fn from(error: CodecError) -> Self {
        Self::Client(error)
    }
}

impl Session {
    /// The last words, as far as the client takes them at once.
    pub(super) fn say_why(&mut self, context: &mut Context<'_>, end: &End) {
        if let End::Server | End::Lost = end {
            self.note_lost();
        }
        // Within a message it would be taken for the rest of that, of a row for one.
        if self.server.as_ref().is_some_and(|server| server.body_left > 0) {
            return;
        }
        match end {
            End::Client(error) => self.tell_fatal(error.sqlstate(), &error.to_string()),
            End::Server if self.is_told => {}
            End::Server if self.phase.is_running() && self.phase != Phase::Begun => {
                self.tell_fatal("08007", "the server ended the connection in the middle of a transaction");
            }
            End::Server if self.phase == Phase::Begun => self.tell_fatal("08006", "the server ended the connection"),
            End::Server => self.tell_fatal("57P01", "the server ended the connection"),
            End::Moved => {
                self.database.statistics.ended_at_server_change.add(1);
                let text = if self.pool.is_closed() {
                    "the gateway no longer lets this user connect to this database"
                } else {
                    "the database has moved to another server, and this session depends on the former one"
                };
                self.tell_fatal("57P01", text);
            }
            End::Lost => {
                self.tell_fatal(
                    "57P01",
                    "this session was bound to its server's session, which could not be used any more",
                );
            }
            End::Stopping => self.tell_fatal("57P01", "terminating connection, since the gateway ends"),
            End::Io(error) => tracing::debug!(error = error.to_string(), "a client's connection failed"),
            End::Goodbye | End::Left => {}
        }
        if let Poll::Ready(Ok(())) = self.outbox.poll_flush(context, &mut self.stream) {
            let _closed = Pin::new(&mut self.stream).poll_shutdown(context);
        }
    }
}
