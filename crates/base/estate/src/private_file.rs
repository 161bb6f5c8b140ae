//! Files that hold secrets: read only when nobody but their owner may use them, and never beyond a limit.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Why such a file was not read.
#[derive(Debug)]
pub(crate) enum PrivateFileError {
    Read(std::io::Error),
    NotPlain,
    Permissions { mode: u32 },
    TooLarge,
}

/// The text of a file that only its owner may use.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<String, PrivateFileError> {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    const NONBLOCK: i32 = 0o4000;
    let file = fs::OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path).map_err(PrivateFileError::Read)?;
    // The opened file is judged, not the path, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(PrivateFileError::Read)?;
    if !metadata.is_file() {
        return Err(PrivateFileError::NotPlain);
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Permissions { mode });
    }
    if metadata.len() > bytes_max {
        return Err(PrivateFileError::TooLarge);
    }
    let mut text = String::new();
    file.take(bytes_max).read_to_string(&mut text).map_err(PrivateFileError::Read)?;
    Ok(text)
}
