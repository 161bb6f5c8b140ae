//! A personal value in an event's type, in a state, in a projection.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::SealedField;
use super::markers::{ERASED, OPENED, PERSONAL, SEALED};

/// A value that belongs to a person and goes when the person is erased.
///
/// Written by serde it is never plain text, but for a new one, which [`crate::erase::Sealer::seal`] seals before the
/// event is appended. Read from opened data it is known or erased; read from data that was not opened, sealed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(Form<T>);

#[derive(Clone, PartialEq, Eq, Deserialize)]
enum Form<T> {
    #[serde(rename = "$personal")]
    New { subject: String, value: T },
    #[serde(rename = "$opened")]
    Opened { value: T, sealed: SealedField },
    #[serde(rename = "$sealed")]
    Sealed(SealedField),
    #[serde(rename = "$erased")]
    Erased(SealedField),
}

#[derive(Serialize)]
struct New<'a, T> {
    subject: &'a str,
    value: &'a T,
}

impl<T> Personal<T> {
    /// A new one, of the person who is known under this name. The name is stored nowhere but under the master key.
    #[must_use]
    pub fn new(subject: impl Into<String>, value: T) -> Self {
        Self(Form::New { subject: subject.into(), value })
    }

    /// One that was stored and is not opened.
    #[must_use]
    pub const fn sealed(field: SealedField) -> Self {
        Self(Form::Sealed(field))
    }

    /// The value, if it is known: none where the person was erased, or nobody opened it yet.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        match &self.0 {
            Form::New { value, .. } | Form::Opened { value, .. } => Some(value),
            Form::Sealed(_) | Form::Erased(_) => None,
        }
    }

    /// Whether the person was erased.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        matches!(self.0, Form::Erased(_))
    }

    /// The form in which it is stored; none for a new one.
    #[must_use]
    pub const fn field(&self) -> Option<&SealedField> {
        match &self.0 {
            Form::New { .. } => None,
            Form::Opened { sealed, .. } | Form::Sealed(sealed) | Form::Erased(sealed) => Some(sealed),
        }
    }

    pub(super) const fn opened(value: T, sealed: SealedField) -> Self {
        Self(Form::Opened { value, sealed })
    }

    pub(super) const fn erased(sealed: SealedField) -> Self {
        Self(Form::Erased(sealed))
    }
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match &self.0 {
            Form::New { subject, value } => map.serialize_entry(PERSONAL, &New { subject, value })?,
            Form::Opened { sealed, .. } | Form::Sealed(sealed) | Form::Erased(sealed) => {
                map.serialize_entry(SEALED, sealed)?;
            }
        }
        map.end()
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Form::New { .. } => "Personal(new)",
            Form::Opened { .. } => "Personal(known)",
            Form::Sealed(_) => "Personal(sealed)",
            Form::Erased(_) => "Personal(erased)",
        })
    }
}

// The names that serde is told above are these.
const _: () = assert!(OPENED.len() == "$opened".len() && ERASED.len() == "$erased".len());
