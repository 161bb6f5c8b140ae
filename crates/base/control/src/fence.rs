//! The states of a fence request, as the rows of `atalaya.control` hold them.
//!
//! A position that is made while changes are being applied could be passed before anybody hears of it. So
//! who wants both sides at one position first inserts a row with kind `fence` and no position, and notifies
//! [`REPLICATOR_CHANNEL`]; the replicator ends its group, sets `holding` and applies nothing more. The
//! requester then makes the snapshot and its position F on the source and writes F into the row. The
//! replicator applies exactly the commits with `commit_lsn < F`, sets `reached`, notifies
//! [`REQUESTER_CHANNEL`] and holds. The requester opens its snapshot on the target and sets `released`. A
//! requester that is gone (silent for longer than the row's lease) is passed over: `expired`.

/// Where the replicator listens.
pub const REPLICATOR_CHANNEL: &str = "atalaya_replicator";
/// Where those who asked something of the replicator listen.
pub const REQUESTER_CHANNEL: &str = "atalaya_requester";

/// How far a fence request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceState {
    /// Written by the requester; the replicator has not seen it yet.
    Requested,
    /// The replicator applies nothing until the requester has said where the fence lies.
    Holding,
    /// The requester has said where the fence lies; the replicator is on its way.
    Placed,
    /// The target holds exactly the commits before the fence, and stays so until released.
    Reached,
    /// The requester has its snapshot; the replicator goes on.
    Released,
    /// The request's lease has ended, or the requester took it back.
    Expired,
}

impl FenceState {
    /// Every state, in the order in which a request goes through them.
    const ALL: [Self; 6] = [Self::Requested, Self::Holding, Self::Placed, Self::Reached, Self::Released, Self::Expired];

    /// The state as the table holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Holding => "holding",
            Self::Placed => "placed",
            Self::Reached => "reached",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// The state a table's text stands for.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_back_as_it_is_stored() {
        use FenceState::{Expired, Holding, Placed, Reached, Released, Requested};
        for state in [Requested, Holding, Placed, Reached, Released, Expired] {
            assert_eq!(FenceState::parse(state.as_str()), Some(state));
        }
        assert_eq!(FenceState::parse("elsewhere"), None);
    }
}
