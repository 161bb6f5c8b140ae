//! Names of streams and types of events.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes: both backends index it.
const BYTES_MAX: usize = 255;

/// A name that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or nothing before the dash.
    #[error("a name of a stream or of a type of event must not be empty, nor its category")]
    Empty,
    /// Too long.
    #[error("a name of {bytes} bytes is longer than {BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control character, which Postgres or a log would stumble over.
    #[error("a name must not hold control characters")]
    Control,
}

/// A stream: `category-id`, as `order-7f3a`; what stands before the first dash is its category. Never personal data:
/// names cannot be erased.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamName(String);

/// What an event says happened, as `OrderPlaced`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventType(String);

impl StreamName {
    /// A stream's name.
    ///
    /// # Errors
    /// When it is empty, has no category, is longer than 255 bytes or holds control characters.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = checked(name.into())?;
        if name.starts_with('-') { Err(NameError::Empty) } else { Ok(Self(name)) }
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first dash; the whole name where there is none.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// What stands after the first dash, which tells the streams of a category apart; the whole name where there is none.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(_, id)| id)
    }
}

impl EventType {
    /// A type's name.
    ///
    /// # Errors
    /// When it is empty, longer than 255 bytes or holds control characters.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        checked(name.into()).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn checked(name: String) -> Result<String, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > BYTES_MAX {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::Control);
    }
    Ok(name)
}

macro_rules! text_conversions {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

text_conversions!(StreamName);
text_conversions!(EventType);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_ends_at_the_first_dash() {
        let name = StreamName::new("order-7f-3a").unwrap();
        assert_eq!((name.category(), name.id()), ("order", "7f-3a"));
        let clock = StreamName::new("clock").unwrap();
        assert_eq!((clock.category(), clock.id()), ("clock", "clock"));
    }

    #[test]
    fn names_that_an_index_or_a_log_cannot_hold_are_refused() {
        assert_eq!(StreamName::new(""), Err(NameError::Empty));
        assert_eq!(StreamName::new("-1"), Err(NameError::Empty));
        assert_eq!(StreamName::new("a\0b"), Err(NameError::Control));
        assert_eq!(EventType::new("é".repeat(128)), Err(NameError::TooLong { bytes: 256 }));
    }
}
