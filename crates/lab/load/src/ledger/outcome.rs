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
    let first_error =
        answers.iter().enumerate().find_map(|(at, answer)| answer.as_ref().err().map(|error| (at, error)));
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

#[cfg(test)]
mod tests {
    use atalaya_postgres::ServerError;

    use super::*;

    /// Answers to `BEGIN`, one statement and `COMMIT`; the server's errors by SQLSTATE, `lost` for none.
    fn judged(answers: [&str; 3], ending: Ending) -> Outcome {
        let answers = answers.map(|answer| match answer {
            "ok" => Ok(1),
            "lost" => Err(Error::Shape { action: "reading".into() }),
            sqlstate => Err(Error::Server {
                action: "writing".into(),
                source: Box::new(ServerError { sqlstate: sqlstate.into(), ..ServerError::default() }),
            }),
        });
        judge(&answers, ending)
    }

    #[test]
    fn only_a_transaction_whose_every_step_succeeded_is_committed() {
        assert_eq!(judged(["ok", "ok", "ok"], Ending::Commit), Outcome::Committed);
        // The COMMIT of a failed transaction answers as if all were well.
        assert_eq!(judged(["ok", "23505", "ok"], Ending::Commit), Outcome::Failed);
        assert_eq!(judged(["ok", "ok", "23503"], Ending::Commit), Outcome::Failed);
        assert_eq!(judged(["ok", "ok", "ok"], Ending::RollBack), Outcome::RolledBack);
    }

    #[test]
    fn a_connection_lost_at_any_step_leaves_the_outcome_unknown() {
        assert_eq!(judged(["ok", "ok", "lost"], Ending::Commit), Outcome::Unknown);
        assert_eq!(judged(["lost", "lost", "lost"], Ending::Commit), Outcome::Unknown);
        assert_eq!(judged(["ok", "08006", "lost"], Ending::Commit), Outcome::Unknown);
        assert_eq!(judged(["ok", "40P01", "lost"], Ending::Commit), Outcome::Failed);
        assert_eq!(judged(["ok", "lost", "lost"], Ending::RollBack), Outcome::Failed);
    }

    #[test]
    fn a_shutdown_is_unknown_only_during_the_commit() {
        assert_eq!(judged(["ok", "ok", "57P01"], Ending::Commit), Outcome::Unknown);
        assert_eq!(judged(["ok", "57P01", "lost"], Ending::Commit), Outcome::Failed);
    }
}
