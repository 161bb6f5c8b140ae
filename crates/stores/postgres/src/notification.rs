//! What a server says without being asked: NOTIFY.

/// One NOTIFY that a session has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel.
    pub channel: String,
    /// The payload.
    pub payload: String,
}
