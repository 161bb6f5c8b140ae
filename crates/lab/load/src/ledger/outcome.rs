//! What a client may conclude from the answers to one transaction.

use atalaya_postgres::Error;

/// What became of a transaction, as far as its client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server said so.
    Committed,
    /// Rolled back as the plan wanted.
    RolledBack,
    /// The server refused a statement: nothing of the transaction is there.
    Failed,
    /// The connection was lost before the answer came: it may be there or not.
    Unknown,
}

/// How the last statement of a plan ends its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With `COMMIT`.
    Commit,
    /// With `ROLLBACK`, on purpose.
    RollBack,
}

/// Judges the answers of a pipelined transaction, the last of which is that of its ending.
///
/// An error from the server before the end is certain: what follows it cannot commit. A lost connection at
/// any step is not, since all steps were sent at once; nor is a server that shuts down during the `COMMIT`.
pub(super) fn judge(answers: &[Result<u64, Error>], ending: Ending) -> Outcome {
    let first_error = answers
        .iter()
        .enumerate()
        .find_map(|(at, answer)| answer.as_ref().err().map(|error| (at, error)));
    match (first_error, ending) {
        (None, Ending::Commit) => Outcome::Committed,
        (None, Ending::RollBack) => Outcome::RolledBack,
        (Some(_), Ending::RollBack) => Outcome::Failed,
        (Some((at, error)), Ending::Commit) => {
            let in_commit = at + 1 == answers.len();
            match error.sqlstate() {
                None => Outcome::Unknown,
                // Connection exceptions are also what a proxy says in the server's place.
                Some(sqlstate) if sqlstate.starts_with("08") => Outcome::Unknown,
                Some(sqlstate) if in_commit && sqlstate.starts_with("57P") => Outcome::Unknown,
                Some(_) => Outcome::Failed,
            }
        }
    }
}
