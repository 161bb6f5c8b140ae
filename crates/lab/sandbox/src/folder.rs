//! A server's folder: data, log and socket, owned by the account that runs it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::process::tail;
use crate::{Error, ServerOptions, TlsFiles, template};

const LOG_BYTES_MAX: u64 = 256 * 1024;
/// A Unix socket's path must fit in 108 bytes; the name within the folder takes up to 20.
const SOCKET_FOLDER_BYTES_MAX: usize = 80;

/// Where a server's things are. Removed with everything in it when dropped, unless kept.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    socket: PathBuf,
    account: Account,
    keep: bool,
}

impl Folder {
    /// Makes the folder with a fresh data folder in it, configured.
    pub(crate) fn make(options: &ServerOptions, binaries: &Binaries, account: Account) -> Result<Self, Error> {
        let parent = options.parent.clone().unwrap_or_else(std::env::temp_dir);
        let folder = Self::empty(parent, account)?;
        let data = folder.data();
        template::copy_to(&data, binaries, options, account)?;
        if let Some(tls) = &options.tls {
            folder.write_tls(tls)?;
        }
        folder.write_private("pg_hba.conf", &options.access())?;
        folder.configure(&options.configuration())?;
        Ok(folder)
    }

    /// Makes the folder without a data folder in it.
    pub(crate) fn empty(parent: PathBuf, account: Account) -> Result<Self, Error> {
        // Without links: processes are known by the real path of their working folder.
        let parent = parent.canonicalize().map_err(Error::file("find", &parent))?;
        account.check_can_enter(&parent)?;
        let path = make_private(&parent, account)?;
        let mut folder = Self { socket: path.clone(), path, account, keep: false };
        if folder.path.as_os_str().len() > SOCKET_FOLDER_BYTES_MAX {
            folder.socket = make_private(Path::new("/tmp"), account)?;
        }
        Ok(folder)
    }

    /// Makes an empty data folder in it, for a server that fills it by itself.
    pub(crate) fn make_data(&self) -> Result<(), Error> {
        let data = self.data();
        fs::create_dir(&data).map_err(Error::file("create", &data))?;
        self.account.give(&data)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Leaves the folder in place when this is dropped.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }

    /// Adds lines to `postgresql.conf`.
    pub(crate) fn configure(&self, lines: &str) -> Result<(), Error> {
        let path = self.data().join("postgresql.conf");
        let file = OpenOptions::new().append(true).open(&path);
        file.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(Error::file("write", path))
    }

    /// Opens the log for a server to write to.
    pub(crate) fn open_log(&self) -> Result<File, Error> {
        let path = self.log_path();
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file.map_err(Error::file("open", &path))?;
        self.account.give(&path)?;
        Ok(file)
    }

    /// The last lines of the log; empty when there is none yet.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        let text = File::open(self.log_path()).and_then(|mut file| tail(&mut file, LOG_BYTES_MAX)).unwrap_or_default();
        let all: Vec<_> = text.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }

    fn log_path(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// Puts certificate and key into the data folder.
    pub(crate) fn write_tls(&self, tls: &TlsFiles) -> Result<(), Error> {
        self.write_private("server.crt", &tls.certificate)?;
        self.write_private("server.key", &tls.key)
    }

    fn write_private(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.data().join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(Error::file("protect", &path))?;
        self.account.give(&path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // Nothing to do about a failure here; the system's temporary folder is emptied by others in the end.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_dir_all(&self.socket);
    }
}

fn make_private(parent: &Path, account: Account) -> Result<PathBuf, Error> {
    let folder = tempfile::Builder::new().prefix("atalaya-").tempdir_in(parent);
    let folder = folder.map_err(Error::file("create a folder in", parent))?;
    account.give(folder.path())?;
    Ok(folder.keep())
}
