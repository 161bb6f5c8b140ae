//! Why a verb did not come to the end it should.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program could not be run.
    #[error("could not run `{line}`")]
    Run {
        /// The command line.
        line: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The program ended otherwise than it should.
    #[error("`{line}` ended with {status}: {said}")]
    Command {
        /// The command line.
        line: String,
        /// Its exit code; none where a signal has ended it.
        code: Option<i32>,
        /// The exit code, or the signal, in words.
        status: String,
        /// The end of what it said.
        said: String,
    },
    /// The program did not come to its end, or to a state, in time.
    #[error("`{line}` took longer than {seconds} s")]
    TimedOut {
        /// The command line.
        line: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// The program's answer is not of the documented form.
    #[error("the answer of `{line}` could not be read")]
    Answer {
        /// The command line.
        line: String,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
    /// Differences where none may be.
    #[error("`{proof}` found {found}")]
    Different {
        /// Which proof.
        proof: &'static str,
        /// Numbers and tables, no values.
        found: String,
    },
}

impl Error {
    /// The exit code of a program that ended otherwise than it should.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Command { code, .. } => *code,
            Self::Run { .. } | Self::TimedOut { .. } | Self::Answer { .. } | Self::Different { .. } => None,
        }
    }

    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Different { .. } => {
                Some("this is a defect of the program: please report it with the command's output".to_owned())
            }
            Self::Run { .. } | Self::Command { .. } | Self::TimedOut { .. } | Self::Answer { .. } => None,
        }
    }
}
