//! Which stream of which broker, and how long it is waited for.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Which stream of which broker.
#[derive(Clone)]
pub struct Options {
    /// The broker's URL, as in `nats://127.0.0.1:4222`, or `tls://` where only an encrypted connection will do; a user and
    /// a password in it are used and never shown.
    pub url: String,
    /// Certificates of authorities, PEM, that the broker's may be signed by besides those of the system.
    pub root_certificates: Option<PathBuf>,
    /// The stream's name. It is made where there is none; one that is there is never changed.
    pub stream: String,
    /// The first token of every subject.
    pub prefix: String,
    /// For how long the stream knows an identity again: a repeat within this time is not stored twice. The stream that
    /// is there has to have at least this.
    pub duplicate_window: Duration,
    /// The longest wait for a connection.
    pub connect_limit: Duration,
    /// The longest wait for one answer.
    pub answer_limit: Duration,
}

impl Options {
    /// A stream that knows identities for ten minutes; connections and answers within 5 s.
    #[must_use]
    pub fn new(url: impl Into<String>, stream: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            root_certificates: None,
            stream: stream.into(),
            prefix: prefix.into(),
            duplicate_window: Duration::from_secs(600),
            connect_limit: Duration::from_secs(5),
            answer_limit: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for Options {
    /// Without the URL, which may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("stream", &self.stream)
            .field("prefix", &self.prefix)
            .field("duplicate_window", &self.duplicate_window)
            .finish_non_exhaustive()
    }
}
