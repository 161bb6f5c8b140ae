//! The name of a migration: part of a slot's name, of a folder, and of what sessions call themselves.

use std::fmt;
use std::str::FromStr;

/// With what we add, a slot's and a session's name stay below the 63 bytes that a server keeps.
const BYTES_MAX: usize = 39;

/// Lower-case letters, digits, `-` and `_`, at most 39 of them, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct MigrationName(String);

/// The text is no name for a migration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a migration's name holds 1 to {BYTES_MAX} of a-z, 0-9, `-` and `_`, and begins with a letter or digit")]
pub struct MigrationNameError;

impl MigrationName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MigrationName {
    type Err = MigrationNameError;

    fn from_str(text: &str) -> Result<Self, MigrationNameError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = text.bytes().next().is_some_and(plain);
        let holds = text.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'_');
        if begins && holds && text.len() <= BYTES_MAX { Ok(Self(text.to_owned())) } else { Err(MigrationNameError) }
    }
}

impl fmt::Display for MigrationName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl std::ops::Deref for MigrationName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path_and_never_too_long() {
        for text in ["orders-to-18", "a", "0_x", &"x".repeat(39)] {
            assert_eq!(text.parse::<MigrationName>().unwrap().as_str(), text);
        }
        for text in ["", "..", "/etc", "a/b", "A", "-a", "a b", "a'b", "ä", &"x".repeat(40)] {
            assert_eq!(text.parse::<MigrationName>(), Err(MigrationNameError), "{text}");
        }
    }
}
