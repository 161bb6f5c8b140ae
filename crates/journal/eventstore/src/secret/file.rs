//! Reading, making and destroying a small secret file. What it holds never reaches an error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

/// No key file is larger.
const BYTES_MAX: u64 = 4096;
/// Opening a pipe must not wait for its other end: O_NONBLOCK of Linux.
const NONBLOCK: i32 = 0o4000;

/// Why a secret file was not used or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The system refused.
    #[error("`{}` cannot be {action}", path.display())]
    Io {
        /// What was tried: read, made, destroyed.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may use it.
    #[error("`{}` can be used by others (its mode is {mode:04o}); `chmod 600` makes it yours alone", path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a folder, a pipe, or larger than any key.
    #[error("`{}` is not a key file", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SecretFileError {
    let path = path.to_owned();
    move |source| SecretFileError::Io { action, path, source }
}

/// What a file holds, if only its owner may use it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SecretFileError> {
    let mut file = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path).map_err(io("read", path))?;
    // The opened file is judged, not the path, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(io("read", path))?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(SecretFileError::NotAKey { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Permissions { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(BYTES_MAX).read_to_end(&mut bytes).map_err(io("read", path))?;
    Ok(bytes)
}

/// Makes a file that was not there, durably, with mode 0600.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    let made = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_folder(path)
    };
    made().map_err(io("made", path))
}

/// Overwrites a file with random bytes, durably, and removes it; one that is not there is destroyed already.
///
/// On a disk that writes elsewhere than it is told (an SSD, a copy-on-write file system, a snapshot) the old blocks may
/// outlive this; there only a disk that is itself encrypted keeps the promise.
pub(crate) fn destroy(path: &Path) -> Result<(), SecretFileError> {
    let destroyed = || -> io::Result<()> {
        overwrite(path)?;
        fs::remove_file(path)?;
        sync_folder(path)
    };
    match destroyed() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(io("destroyed", path)),
    }
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).custom_flags(NONBLOCK).open(path)?;
    let length = file.metadata()?.len().min(BYTES_MAX);
    let mut noise = vec![0; usize::try_from(length).unwrap_or(0)];
    let random = SystemRandom::new();
    random.fill(&mut noise).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    file.rewind()?;
    file.write_all(&noise)?;
    file.sync_all()
}

/// Makes the entries of a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_and_destroyed_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(read(&path).unwrap(), b"secret");
        assert!(matches!(create(&path, b"other"), Err(SecretFileError::Io { .. })));
        // The bytes go, not only the name: a second name sees it.
        fs::hard_link(&path, folder.path().join("same")).unwrap();
        destroy(&path).unwrap();
        assert_ne!(fs::read(folder.path().join("same")).unwrap(), b"secret");
        assert!(!path.exists());
        destroy(&path).unwrap();
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, b"secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(SecretFileError::Permissions { mode: 0o640, .. })));
        assert!(matches!(read(folder.path()), Err(SecretFileError::NotAKey { .. })));
    }
}
