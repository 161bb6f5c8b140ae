//! Errors of the sample data and of the workload.

/// What went wrong while data was made, written or reconciled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server's, or a lost connection.
    #[error(transparent)]
    Postgres(Box<atalaya_postgres::Error>),
    /// The workload needs tables that are not there.
    #[error("the database has no table `{table}`")]
    NotPrepared {
        /// The table that was looked for.
        table: &'static str,
        /// The next step.
        hint: &'static str,
    },
    /// An option has a value that cannot be worked with.
    #[error("`{option}` must be {must}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What its value must be.
        must: &'static str,
    },
    /// All run numbers of the ledger's ids are used up in this database.
    #[error("the ledger has no free run number left in this database")]
    NoRunLeft,
}

impl From<atalaya_postgres::Error> for Error {
    fn from(error: atalaya_postgres::Error) -> Self {
        Self::Postgres(Box::new(error))
    }
}
