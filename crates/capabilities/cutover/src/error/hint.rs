//! What can be done about what was met, and what it leaves.

use super::Error;
use crate::switch::DRAIN;

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Of { source, .. } => source.hint(),
            Self::OtherGroup { command, .. } => Some(format!("`{command}` brings it to its end")),
            Self::NoCommands { command, .. } => {
                Some(format!("`{command}`, with what it was begun with, brings it to its end"))
            }
            Self::Postgres(error) => error.hint(),
            Self::Fence(error) => error.hint(),
            Self::Route(error) | Self::Undecided(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Gate { source, .. } | Self::Replication { source, .. } | Self::Occupied(source) => {
                source.hint.clone()
            }
            Self::NoWayBack { .. } => Some("run the command again: it makes the way back".to_owned()),
            Self::OtherJournal { .. } => {
                Some("start it with the same --journal, or the same --state where that is a folder".to_owned())
            }
            Self::NoGate { .. } => Some("name every gateway with --gateway".to_owned()),
            Self::SameGate { .. } => Some("name each gateway once".to_owned()),
            Self::Foreign { .. } => {
                Some("a superuser writes past the gateways, or a session of the fencing role does; end it".to_owned())
            }
            Self::Different { .. } => Some("`atalaya validate` shows the rows; `--repair` mends them".to_owned()),
            Self::Unproven { .. } => Some(
                "`atalaya validate` proves them while clients work; `--dry-run` names those that it cannot, with the \
                 remedy; --allow-unproven leads clients away all the same"
                    .to_owned(),
            ),
            Self::OtherRole { .. } => {
                Some("the URL of the database has to name the same role in every estate file".to_owned())
            }
            Self::OutOfTime { stage: DRAIN, .. } => {
                Some("try again at a quieter time, or give it longer with --max-pause; nothing was cut".to_owned())
            }
            Self::OutOfTime { .. } => Some(
                "try again at a quieter time, or give it longer with --max-pause; clients are where they were, and sessions \
                 that no gateway held may have been ended"
                    .to_owned(),
            ),
            Self::OtherMigration { migration, .. } => Some(format!(
                "`atalaya migrate cutover {migration}` or `rollback`, as it was begun, brings it to its end"
            )),
            Self::Forbidden { .. } => Some("`--dry-run` shows every check with its remedy".to_owned()),
            Self::Interrupted { .. } | Self::Closed { .. } | Self::OtherEpoch { .. } => {
                Some("run the command again".to_owned())
            }
            Self::Stuck { .. } => Some("`atalaya journal sagas` shows it, and what can be decided".to_owned()),
            Self::Unlifted { .. } => Some(
                "the same command goes on; or run, as the role that fenced it, the text in the column `lift` of \
                 `atalaya.fence`"
                    .to_owned(),
            ),
            Self::LedElsewhere { .. } => Some("`atalaya journal tail` shows who did".to_owned()),
            Self::Saga(_) | Self::NotDone { .. } | Self::NoPlace { .. } | Self::NotTogether { .. } => None,
        }
    }

    /// Whether something is left to be done that the same command does.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        matches!(self.met(), Self::Undecided(_) | Self::Unlifted { .. } | Self::NoCommands { .. })
    }

    /// Whether it was not begun since it would not be safe.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self.met() {
            Self::Forbidden { .. }
            | Self::OtherMigration { .. }
            | Self::OtherGroup { .. }
            | Self::NoCommands { .. }
            | Self::NoGate { .. }
            | Self::Occupied(_)
            | Self::SameGate { .. }
            | Self::OtherJournal { .. }
            | Self::OtherRole { .. }
            | Self::Different { .. }
            | Self::Unproven { .. }
            | Self::Foreign { .. } => true,
            Self::Route(error) => error.is_refusal(),
            _ => false,
        }
    }
}
