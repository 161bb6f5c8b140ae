//! The files of transactions in progress: made without a name, written only while there is room to spare.

use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use atalaya_data::size;
use nix::sys::statvfs::fstatvfs;

use crate::{Error, Failpoints};

/// Room that is left to others on the file system, where it is large enough for that.
const SPARE_BYTES: u64 = 1 << 30;
/// On a smaller one: this part of it.
const SPARE_PART: u64 = 20;

/// Where and how much transactions in progress may take.
#[derive(Clone, Debug)]
pub(crate) struct SpillOptions {
    /// The migration's own folder.
    pub(crate) folder: PathBuf,
    /// Bytes of all of them together in memory.
    pub(crate) memory_bytes: usize,
    /// Bytes of all of them together on disk.
    pub(crate) limit_bytes: u64,
    /// Where a test may end the process.
    pub(crate) failpoints: Failpoints,
}

impl SpillOptions {
    /// Writes to a file at a position, after it was cut there; makes the file where there is none. `taken` is what all
    /// files hold before. Blocks.
    pub(super) fn write(
        &self,
        file: Option<Arc<File>>,
        position: u64,
        bytes: &[u8],
        taken: u64,
    ) -> Result<Arc<File>, Error> {
        let wanted = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if taken.saturating_add(wanted) > self.limit_bytes {
            let seen = format!(
                "transactions that are open on the source take more than {} here",
                size::bytes(self.limit_bytes)
            );
            return Err(self.refused("spill-limit", seen));
        }
        let file = match file {
            Some(file) => file,
            None => Arc::new(self.create().map_err(|source| self.failed("create a file in", source))?),
        };
        // Asked of the file itself: its folder may have been moved or mounted over meanwhile.
        let room = fstatvfs(&*file).map_err(|error| self.failed("ask for the room in", error.into()))?;
        let block = room.fragment_size();
        let (free, all) = (room.blocks_available() * block, room.blocks() * block);
        if free < wanted.saturating_add(SPARE_BYTES.min(all / SPARE_PART)) {
            let seen = format!(
                "transactions that are open on the source leave no room on the disk of `{}`: {} are free",
                self.folder.display(),
                size::bytes(free)
            );
            return Err(self.refused("spill-room", seen));
        }
        file.write_all_at(bytes, position).map_err(|source| self.failed("write a file in", source))?;
        self.failpoints.reach("spill-written");
        Ok(file)
    }

    fn create(&self) -> std::io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let file = tempfile::tempfile_in(&self.folder)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    }

    pub(super) fn failed(&self, action: &'static str, source: std::io::Error) -> Error {
        Error::File { action, path: self.folder.display().to_string(), source }
    }

    fn refused(&self, code: &'static str, seen: String) -> Error {
        Error::refused(
            code,
            seen,
            "make room and run the same command again; or end the large transactions on the source, as \
             pg_stat_activity shows them; or let the source keep them on its own disk with `--spill-limit 0MB`",
        )
    }
}

/// Runs what blocks where it keeps nobody else waiting.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Broken("a file's work was broken off"))
}

/// Closes a file elsewhere: to give back the room of a large one that has no name can take the system a while.
pub(super) fn close(file: Option<Arc<File>>) {
    if let Some(file) = file {
        drop(tokio::task::spawn_blocking(move || drop(file)));
    }
}
