//! Where the journal's file may be, and who may read it: its owner alone.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::Error;

/// Magic numbers of statfs(2): the write-ahead log needs memory that is shared between all who have the file open, which
/// no file system over a network gives, and locks of files are not to be trusted there.
const OVER_A_NETWORK: [i64; 6] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x7375_7245, // Coda
    0x5346_414f, // AFS
];

/// Makes the folder (mode 0700) and an empty file (mode 0600) where they are missing.
pub(crate) fn prepare(path: &Path) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed("create the folder", folder))?;
    }
    refuse_network(folder)?;
    // SQLite gives its other two files the mode of this one.
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let metadata = file.and_then(|file| file.metadata()).map_err(failed("open", path))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others than its owner may read the journal's file");
    }
    Ok(())
}

/// Which file lies at a path now: device and number.
pub(super) fn which(path: &Path) -> Result<(u64, u64), Error> {
    let metadata = std::fs::metadata(path).map_err(failed("look at", path))?;
    Ok((metadata.dev(), metadata.ino()))
}

fn refuse_network(folder: &Path) -> Result<(), Error> {
    let kind = nix::sys::statfs::statfs(folder).map_err(|errno| failed("look at", folder)(errno.into()))?;
    let magic = kind.filesystem_type().0;
    if OVER_A_NETWORK.iter().any(|number| i128::from(magic) == i128::from(*number)) {
        let reason =
            "its folder is on a file system over a network, where SQLite loses data; use a local one, or Postgres";
        return Err(Error::Unsuitable { reason });
    }
    Ok(())
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |source| Error::File { action, path: path.to_owned(), source: Arc::new(source) }
}
