//! A clock that a test moves, for servers and child processes: their monotonic clock goes on as it is.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::Error;

const LIBRARY: &str = "faketime/libfaketime.so.1";
/// Where Debian's multiarch folders are; the first that has the library is taken.
const LIBRARIES: &str = "/usr/lib";

/// A clock that goes by the machine's, so many seconds before or after it.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    folder: tempfile::TempDir,
}

impl Clock {
    /// A clock that is right.
    ///
    /// # Errors
    /// When the library is not installed, or no file can be made.
    pub fn right() -> Result<Self, Error> {
        let library = library()?;
        let folder = tempfile::tempdir().map_err(Error::file("create", std::env::temp_dir()))?;
        // The account that runs servers reads it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))
            .map_err(Error::file("open to others", folder.path()))?;
        let clock = Self { library, folder };
        clock.set(0)?;
        Ok(clock)
    }

    /// Moves it: everybody who goes by it sees the other time at once.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, seconds: i64) -> Result<(), Error> {
        let (file, new) = (self.file(), self.folder.path().join("new"));
        // Replaced as a whole: nobody reads half of it.
        fs::write(&new, format!("{seconds:+}\n")).map_err(Error::file("write", &new))?;
        fs::rename(&new, &file).map_err(Error::file("write", &file))
    }

    /// What a process that goes by it has in its environment.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}

fn library() -> Result<PathBuf, Error> {
    let folders = fs::read_dir(LIBRARIES).map_err(Error::file("list", LIBRARIES))?;
    let found = folders.filter_map(Result::ok).map(|entry| entry.path().join(LIBRARY)).find(|path| path.exists());
    found.ok_or(Error::ClockMissing)
}
