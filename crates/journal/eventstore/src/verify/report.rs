//! What a verification found, in a form that is printed and kept.

use serde::{Deserialize, Serialize};

use crate::{Digest, Position};

/// Whether the journal is what was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing was found, as far as can be seen: see [`Report::unseen`].
    Intact,
    /// Something was changed, removed or added.
    Tampered,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An event is not there: removed, or cut off with all after it.
    Missing,
    /// An event is there that no append brought, or the head does not know.
    Inserted,
    /// An event's data is not what its digest says.
    DataChanged,
    /// Something else of an event is not what its leaf says: its place, name, type, time, metadata.
    EventChanged,
    /// An event is not chained to the one before it.
    Unchained,
    /// An event does not follow the one before it in its stream.
    Version,
    /// What is stored of an append is not what it brought.
    Append,
    /// The head is not what the events come to.
    Head,
    /// A stored root of a part of the tree is not what its leaves come to.
    Tile,
    /// The events up to a checkpoint are not those that it was signed for: they were written anew, chain and all.
    Rewritten,
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The first bad position.
    pub position: Position,
    /// Where it cannot be told exactly: the last position that may be the first bad one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub up_to: Option<Position>,
    /// What is wrong there.
    pub kind: Kind,
    /// The same in words.
    pub seen: String,
}

/// What the journal was held against besides itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum HeldAgainst {
    /// Nothing.
    Itself,
    /// Exported checkpoints.
    Checkpoints {
        /// How many.
        count: u64,
        /// The last one's size; 0 for none.
        last_size: u64,
        /// Its root.
        last_root: Digest,
    },
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether all is well.
    pub verdict: Verdict,
    /// What is not, the first of it; nothing behind it was looked at.
    pub finding: Option<Finding>,
    /// The journal's origin, as in its checkpoints.
    pub origin: String,
    /// How many events are well, from the first one on.
    pub events: u64,
    /// Of how many streams.
    pub streams: u64,
    /// Of how many appends.
    pub appends: u64,
    /// How many of them have had their whole data erased, and are known by its digest alone.
    pub data_erased: u64,
    /// How many keys of erased people their tombstones name.
    pub keys_dropped: u64,
    /// The root of the tree over them.
    pub root: Digest,
    /// The chain after the last of them.
    pub chain: Digest,
    /// What the journal was held against.
    pub held_against: HeldAgainst,
}

impl Report {
    /// What this verification cannot see, in words; none where the last event is covered by a checkpoint.
    #[must_use]
    pub fn unseen(&self) -> Option<String> {
        match self.held_against {
            HeldAgainst::Itself => Some(
                "not held against a checkpoint: a journal that was written anew as a whole, or cut and given a new head, \
                 looks like this one"
                    .into(),
            ),
            HeldAgainst::Checkpoints { last_size, .. } if last_size < self.events => Some(format!(
                "the events after position {last_size} are in no checkpoint yet: had they been written anew or cut, they \
                 would look like this"
            )),
            HeldAgainst::Checkpoints { .. } => None,
        }
    }
}
