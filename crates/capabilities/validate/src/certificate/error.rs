//! Why a certificate cannot be made, read or checked.

use crate::Error;

/// Why a certificate cannot be made, read or checked.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A server, or the comparison.
    #[error(transparent)]
    Validate(#[from] Error),
    /// The file holds no certificate.
    #[error("this is no certificate: {reason}")]
    Unreadable {
        /// What is missing.
        reason: &'static str,
    },
    /// A later version made it.
    #[error("the certificate has format {format}, which this version does not know")]
    LaterFormat {
        /// Its format.
        format: u64,
    },
    /// The file is not what was written.
    #[error("the certificate was changed after it was made: {what}")]
    Changed {
        /// What does not fit.
        what: &'static str,
    },
}

impl CertificateError {
    /// The next step.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Validate(error) => error.hint(),
            Self::Unreadable { .. } => Some("give the .html or .json file that `migrate finish` wrote".to_owned()),
            Self::LaterFormat { .. } => Some("check it with the version that made it, or a later one".to_owned()),
            Self::Changed { .. } => {
                Some("get the file again from where it was kept; nothing in this one counts".to_owned())
            }
        }
    }
}

impl From<atalaya_postgres::Error> for CertificateError {
    fn from(error: atalaya_postgres::Error) -> Self {
        Self::Validate(Error::Postgres(error))
    }
}
