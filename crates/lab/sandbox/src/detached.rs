//! A server that outlives the process that started it, as `atalaya sandbox up` needs.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::process::POLL;
use crate::{Error, members};

const STOP_LIMIT: Duration = Duration::from_secs(20);
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// What is needed to find a detached server again. Holds no password, so it may be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetachedServer {
    /// Its major version.
    pub version: u16,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The folder with its data and its log.
    pub folder: PathBuf,
    /// The folder with its Unix socket.
    pub socket: PathBuf,
}

impl DetachedServer {
    /// Whether its postmaster lives.
    #[must_use]
    pub fn is_running(&self) -> bool {
        members::postmaster(&self.data()).is_some()
    }

    /// Stops it, by force when it does not stop within 20 s, and removes its folder. A server that is gone is no error.
    ///
    /// # Errors
    /// When a process survives or the folder cannot be removed.
    pub fn remove(&self) -> Result<(), Error> {
        let data = self.data();
        if let Some(pid) = members::postmaster(&data) {
            members::send(pid, Signal::SIGINT);
        }
        let deadline = Instant::now() + STOP_LIMIT;
        while self.is_running() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        if !members::kill_all(&data, KILL_LIMIT) {
            return Err(Error::Unstoppable { folder: self.folder.clone() });
        }
        for folder in [&self.folder, &self.socket] {
            match std::fs::remove_dir_all(folder) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::file("remove", folder)(source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}
