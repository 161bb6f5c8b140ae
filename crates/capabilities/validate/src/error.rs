//! What keeps a validation from saying anything at all; what it has to say stands in the report.

/// Why a validation came to no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server answered with an error, or the connection to it broke.
    #[error(transparent)]
    Postgres(#[from] atalaya_postgres::Error),
    /// There is no migration of that name on the target.
    #[error("the target knows no migration `{name}`")]
    NoMigration {
        /// The name that was asked for.
        name: String,
    },
    /// No table is left to compare.
    #[error("no table matches on the source")]
    NothingMatches,
    /// The fence was given up by the replicator each time before both snapshots were open.
    #[error("the fence did not hold in {tries} tries")]
    FenceLost {
        /// How often it was tried.
        tries: u32,
    },
    /// Two proofs at once would each take for proven what the other has not compared.
    #[error(
        "another proof of the migration `{name}` is running, or the migration was begun by a version that notes nothing"
    )]
    AnotherProof {
        /// The migration.
        name: String,
    },
    /// Only a migration's replicator can repair.
    #[error("there is no migration whose replicator could repair rows")]
    NoReplicator,
    /// The replicator has not repaired.
    #[error("the replicator did not repair the rows: {outcome}")]
    RepairRefused {
        /// What it says.
        outcome: String,
    },
    /// An answer of the server cannot be read.
    #[error("the server's answer has an unexpected shape while {action}")]
    Shape {
        /// What was being done.
        action: &'static str,
    },
}

impl Error {
    /// The next step for whoever reads the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Postgres(error) => error.hint(),
            Self::NoMigration { .. } => Some(
                "see `atalaya migrate status`; two databases without a migration are compared by `--source` and `--target` alone"
                    .to_owned(),
            ),
            Self::NothingMatches => Some(
                "check the patterns; a pattern is `schema.table`, with `*` for any part of a name"
                    .to_owned(),
            ),
            Self::FenceLost { .. } => Some(
                "the replicator goes on when a snapshot takes longer than the fence's lease; try again when the target is less busy"
                    .to_owned(),
            ),
            Self::AnotherProof { .. } => Some(
                "wait for the other one (see pg_stat_activity on the target for `atalaya validate`), or leave out --touched \
                 and --continuous: a full comparison can always be made"
                    .to_owned(),
            ),
            Self::NoReplicator => {
                Some("name the migration; without one, correct the target by hand and compare again".to_owned())
            }
            Self::RepairRefused { .. } => Some("see that `atalaya migrate start` runs, then repair again".to_owned()),
            Self::Shape { .. } => None,
        }
    }
}
