//! From what a person wrote in place of a URL to a URL with its password.
//!
//! Order as in libpq: the URL's own password, then the passfile of `passfile=`, of PGPASSFILE, of the home
//! folder. PGPASSWORD is left out on purpose: a move has two servers, and one password cannot be both's.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::passfile;
use crate::{ConnectionUrl, UrlError};

/// Where a password came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// There is none; the server may not ask for one.
    Nowhere,
    /// It was written in the text itself: on a command line, other users of the machine and the shell's
    /// history see it, so the caller warns.
    Text,
    /// It came with the URL that a variable holds.
    Variable,
    /// A passfile has it.
    Passfile,
}

/// A URL ready for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedUrl {
    /// The URL, with the password where there is one.
    pub url: ConnectionUrl,
    /// Where the password came from.
    pub secret: SecretOrigin,
}

impl ConnectionUrl {
    /// Reads `postgres://...`, or `env:NAME` where the variable holds such a URL, and completes it from a
    /// passfile. `lookup` gives the values of variables.
    ///
    /// # Errors
    /// When the variable is missing, the URL is not one, or a passfile that was asked for cannot be used.
    pub fn resolve(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<ResolvedUrl, UrlError> {
        let reference = Self::reference(text, lookup)?;
        if reference.secret != SecretOrigin::Nowhere {
            return Ok(reference);
        }
        reference.url.with_passfile(lookup)
    }

    /// As [`ConnectionUrl::resolve`], without looking into a passfile.
    pub(crate) fn reference(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<ResolvedUrl, UrlError> {
        let (url, origin) = match text.strip_prefix("env:") {
            Some(name) => {
                if !is_variable_name(name) {
                    return Err(UrlError::VariableName);
                }
                let value = lookup(name).ok_or_else(|| UrlError::UnsetVariable(name.to_owned()))?;
                (Self::parse(value.trim())?, SecretOrigin::Variable)
            }
            None => (Self::parse(text)?, SecretOrigin::Text),
        };
        let secret = if url.password().is_some() { origin } else { SecretOrigin::Nowhere };
        Ok(ResolvedUrl { url, secret })
    }

    /// Looks for the password in a passfile: `passfile=` of the URL, else PGPASSFILE, else `.pgpass` in HOME
    /// (the last may be missing). A URL that has a password keeps it.
    ///
    /// # Errors
    /// When the passfile cannot be read, is not a plain file, or can be used by others.
    pub fn with_passfile(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<ResolvedUrl, UrlError> {
        if self.password().is_some() {
            return Ok(ResolvedUrl { url: self.clone(), secret: SecretOrigin::Text });
        }
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let named = self.passfile().map(ToOwned::to_owned).or_else(|| set("PGPASSFILE"));
        let path = named.clone().or_else(|| set("HOME").map(|home| home.join(".pgpass")));
        let password = match path.as_deref().map(|path| passfile::password_in(path, self)) {
            None => None,
            Some(Ok(password)) => password,
            Some(Err(passfile::PassfileError::Read { source, .. }))
                if named.is_none() && source.kind() == ErrorKind::NotFound =>
            {
                None
            }
            Some(Err(error)) => return Err(UrlError::Passfile(error)),
        };
        Ok(match password {
            Some(password) => ResolvedUrl { url: self.with_password(password), secret: SecretOrigin::Passfile },
            None => ResolvedUrl { url: self.clone(), secret: SecretOrigin::Nowhere },
        })
    }

    /// Whether two URLs name the same database of the same server, as far as URLs can tell.
    #[must_use]
    pub fn is_same_database(&self, other: &Self) -> bool {
        let place = |url: &Self| (url.host().to_ascii_lowercase(), url.port(), url.database().to_owned());
        place(self) == place(other)
    }

    /// Whether two URLs differ in nothing but the password: the same role at the same place, reached in the same way.
    #[must_use]
    pub fn is_same_login(&self, other: &Self) -> bool {
        let bare = |url: &Self| url.with_password("");
        bare(self) == bare(other)
    }
}

/// Letters, digits and `_`, not beginning with a digit: what a shell accepts.
pub(crate) fn is_variable_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|each| each.is_ascii_alphanumeric() || each == '_')
}
