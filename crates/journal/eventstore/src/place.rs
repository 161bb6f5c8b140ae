//! Where a journal and the tables that are made of it are kept, as one word for both.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use atalaya_estate::{ConnectionUrl, UrlError};

/// Where a journal is kept, and the tables that are made of it. From text: a URL of Postgres, or else a folder.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder with two files of SQLite, `journal.db` and `tables.db`.
    Folder(PathBuf),
    /// A database of Postgres: the journal in its schema `atalaya_journal`, tables in `public`.
    Postgres(ConnectionUrl),
}

impl FromStr for Place {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            Ok(Self::Postgres(ConnectionUrl::parse(text)?))
        } else {
            Ok(Self::Folder(text.into()))
        }
    }
}

impl fmt::Display for Place {
    /// Without a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(formatter),
            Self::Postgres(url) => url.fmt(formatter),
        }
    }
}

impl fmt::Debug for Place {
    /// As it is displayed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Place({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_database_and_anything_else_a_folder() {
        let shop: Place = "postgres://ann:secret@db.example/shop".parse().unwrap();
        assert!(matches!(shop, Place::Postgres(_)) && !format!("{shop} {shop:?}").contains("secret"));
        assert_eq!("postgres".parse::<Place>().unwrap(), Place::Folder("postgres".into()));
        assert!("postgres://".parse::<Place>().is_err());
    }
}
