//! Why an operation cannot go on.

use atalaya_data::MigrationId;
use atalaya_saga::End;

/// Why an operation cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error("the journal cannot be read or written")]
    Journal(#[from] atalaya_eventstore::Error),
    /// The saga.
    #[error("the migration's saga cannot go on")]
    Saga(#[from] atalaya_saga::Error),
    /// The table of migrations, while it is made of the journal.
    #[error("the journal's table of migrations cannot be read or written")]
    Projection(#[from] atalaya_cqrs::projection::ProjectionError),
    /// The table of migrations, while it is read.
    #[error("the journal's table of migrations cannot be read or written")]
    Tables(#[from] atalaya_eventstore::TablesError),
    /// The target knows a migration that is over by the journal.
    #[error("the target has migration `{id}`, which {} by the journal", how(*.end))]
    Over {
        /// Which one.
        id: MigrationId,
        /// How it ended.
        end: End,
    },
    /// It is on its way back.
    #[error("migration `{id}` is being aborted")]
    GoesBack {
        /// Which one.
        id: MigrationId,
    },
    /// Everything is removed, and the journal does not say so yet.
    #[error("migration `{id}` is finished, but for the journal's last word")]
    LastWord {
        /// Which one.
        id: MigrationId,
    },
    /// What was asked for was not done; the saga keeps it for the next call.
    #[error("{reason}")]
    NotDone {
        /// Why not.
        reason: String,
    },
    /// What is stored cannot be read.
    #[error("the journal's table of migrations holds what this version did not write")]
    Unreadable,
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Over { .. } => Some(
                "the target was restored from a backup, or the journal says more than was done: `atalaya migrate abort` \
                 removes what is left of it"
                    .to_owned(),
            ),
            Self::GoesBack { .. } => Some("`atalaya migrate abort` again takes it to its end".to_owned()),
            Self::LastWord { .. } => Some("`atalaya migrate finish` again writes it".to_owned()),
            Self::Tables(_) | Self::Projection(_) => Some(
                "the table is made of the journal: where that was restored from a backup, remove `tables.db` beside it (or \
                 on a server the tables `atalaya_migrations*` and `atalaya_projection*`), and it is made again"
                    .to_owned(),
            ),
            Self::Journal(_) => Some("`atalaya journal verify` looks at what is stored".to_owned()),
            Self::Saga(_) | Self::NotDone { .. } | Self::Unreadable => None,
        }
    }

    /// Whether it is a refusal: nothing was done, and it would not be safe to.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Over { .. } | Self::GoesBack { .. } | Self::LastWord { .. })
    }
}

const fn how(end: End) -> &'static str {
    match end {
        End::Completed => "is finished",
        End::Compensated => "was aborted",
        End::Abandoned => "was given up by somebody",
    }
}
