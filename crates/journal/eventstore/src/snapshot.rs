//! What a stream comes to up to one of its events, kept so that it need not be read from the beginning.

use bytes::Bytes;

use crate::StreamName;

/// The state of a stream after one of its events. Only a shortcut: it may be lost or left out at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream.
    pub stream: StreamName,
    /// The version of the last event that is in it.
    pub version: u64,
    /// The shape of its data, given by the program: a snapshot with another mark is not used.
    pub mark: String,
    /// The state. Personal fields only sealed, as in events.
    pub data: Bytes,
}
