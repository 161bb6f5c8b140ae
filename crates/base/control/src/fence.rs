//! The states of a fence request, as the rows of `atalaya.control` hold them.
//!
//! Who wants both sides at one position inserts a row with kind `fence` and the position F, and notifies
//! [`REPLICATOR_CHANNEL`]. The replicator applies exactly the commits with `commit_lsn < F`, sets `reached`,
//! notifies [`REQUESTER_CHANNEL`] and holds. The requester opens its snapshot on the target and sets
//! `released`. A requester that is gone (no release within the row's lease) is passed over: `expired`.

/// Where the replicator listens.
pub const REPLICATOR_CHANNEL: &str = "atalaya_replicator";
/// Where those who asked something of the replicator listen.
pub const REQUESTER_CHANNEL: &str = "atalaya_requester";

/// How far a fence request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceState {
    /// Written by the requester; the replicator has not come to the position yet.
    Requested,
    /// The target holds exactly the commits before the fence, and stays so until released.
    Reached,
    /// The requester has its snapshot; the replicator goes on.
    Released,
    /// The request cannot be met: the position was passed before the request was seen, or its lease ended.
    Expired,
}

impl FenceState {
    /// The state as the table holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Reached => "reached",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// The state a table's text stands for.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Requested,
            Self::Reached,
            Self::Released,
            Self::Expired,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}
