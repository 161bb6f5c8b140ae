//! What a migration is of.

use atalaya_data::{MigrationId, MigrationName};
use atalaya_estate::ConnectionUrl;
use serde::{Deserialize, Serialize};

/// A migration as whoever starts it names it. Holds no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: MigrationName,
    /// The server that is being moved from, as `host:port/database`.
    pub source: String,
    /// The server that is being moved to.
    pub target: String,
}

impl Subject {
    /// A migration between two servers.
    #[must_use]
    pub fn new(name: MigrationName, source: &ConnectionUrl, target: &ConnectionUrl) -> Self {
        Self { name, source: place(source), target: place(target) }
    }
}

fn place(url: &ConnectionUrl) -> String {
    format!("{}:{}/{}", url.host(), url.port(), url.database())
}

/// How far a move has come, by the target's own rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Publications, slot and schema are being made.
    Begun,
    /// They stand; rows are copied.
    Copy,
    /// Every row of the copy is there; changes are followed.
    Stream,
    /// Both sides are proven, and nothing is followed any more: only what is ours is to be removed.
    Finished,
}

/// What the target knows of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which one it is.
    pub id: MigrationId,
    /// How far it has come.
    pub reached: Reached,
}
