//! A file that is whole and durable under its name, or is not there; and is never written again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::io_error;
use crate::checkpoint::CheckpointError;
use crate::secret::sync_folder;

/// Writes a file; the same file again is well, another one under its name is refused.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<(), CheckpointError> {
    let path = folder.join(name);
    let unfinished = folder.join(format!(".{name}.{}.unfinished", std::process::id()));
    let written = (|| -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike renaming, a link never replaces what is there.
        let linked = fs::hard_link(&unfinished, &path);
        fs::remove_file(&unfinished)?;
        linked?;
        sync_folder(&path)
    })();
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read(&path).map_err(io_error("read", &path))? == text.as_bytes() {
                Ok(())
            } else {
                Err(CheckpointError::Folder { path, seen: "another one was to be written under its name" })
            }
        }
        other => other.map_err(io_error("written", &path)),
    }
}
