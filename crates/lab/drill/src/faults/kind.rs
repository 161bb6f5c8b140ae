//! The kinds of faults.

use crate::stage::{Side, Stage};

/// One side of the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Target,
}

impl End {
    pub(crate) fn of(self, stage: &Stage) -> &Side {
        match self {
            Self::Source => &stage.source,
            Self::Target => &stage.target,
        }
    }
}

/// What can happen to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SIGKILL of the program.
    Run,
    /// SIGKILL of the process that holds the copy's snapshot.
    Holder,
    /// SIGKILL of every process of a server, which is then started again.
    Server(End),
    /// A server is stopped in good order and started again.
    Restart(End),
    /// `pg_terminate_backend` of every session of the program's.
    Sessions(End),
    /// Every connection is cut.
    Cut(End),
    /// Every connection stays open and carries nothing any more.
    Silence(End),
}

impl Kind {
    /// Its name in the report.
    pub(crate) fn text(self) -> &'static str {
        use End::{Source, Target};
        match self {
            Self::Run => "kill -9 of the run",
            Self::Holder => "kill -9 of the snapshot's holder",
            Self::Server(Source) => "kill -9 of the source",
            Self::Server(Target) => "kill -9 of the target",
            Self::Restart(Source) => "restart of the source",
            Self::Restart(Target) => "restart of the target",
            Self::Sessions(Source) => "sessions ended on the source",
            Self::Sessions(Target) => "sessions ended on the target",
            Self::Cut(Source) => "connections to the source cut",
            Self::Cut(Target) => "connections to the target cut",
            Self::Silence(Source) => "silence from the source",
            Self::Silence(Target) => "silence from the target",
        }
    }
}
