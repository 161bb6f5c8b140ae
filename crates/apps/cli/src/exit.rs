//! Exit codes, which are a public contract, and the one shape in which a command fails.

/// Done.
pub(crate) const DONE: u8 = 0;
/// Failed: something outside went wrong; the same command can be run again.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage: arguments, estate file or URL.
pub(crate) const USAGE: u8 = 2;
/// A difference or violation was found.
pub(crate) const DIFFERENT: u8 = 3;
/// Refused because it would not be safe.
pub(crate) const REFUSED: u8 = 4;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One of the exit codes above.
    pub(crate) code: u8,
    /// What was seen, with its causes; no credential, no row value.
    pub(crate) message: String,
    /// The next step.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure with the error's whole chain of causes as its message.
    pub(crate) fn new(code: u8, error: &dyn std::error::Error, hint: Option<String>) -> Self {
        Self { code, message: atalaya_data::chain(error), hint }
    }

    /// The end that a signal brings.
    pub(crate) fn of_signal() -> Self {
        Self {
            code: FAILED,
            message: "interrupted".to_owned(),
            hint: Some("run the same command again to go on".to_owned()),
        }
    }

    /// Wrong usage, said in one line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into(), hint: None }
    }
}

impl From<atalaya_postgres::Error> for Failure {
    fn from(error: atalaya_postgres::Error) -> Self {
        let hint = error.hint();
        Self::new(FAILED, &error, hint)
    }
}
