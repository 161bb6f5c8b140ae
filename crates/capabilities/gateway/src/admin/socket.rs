//! The administration's socket in the file system. Who may use it, the file's permissions say.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::conversation::{self, CONNECTIONS_MAX, Way};
use super::{Answer, Request};
use crate::error::GatewayError;
use crate::listen::serve_each;
use crate::run::Control;

/// Only the owner administers.
const MODE: u32 = 0o600;

/// A socket that is listened to until this is dropped.
pub struct AdminSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl AdminSocket {
    /// Listens. A socket that an earlier gateway left is replaced, one that is in use is not.
    ///
    /// # Errors
    /// When the file cannot be made, or another gateway listens there.
    pub fn open(path: &Path) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::Admin { path: path.display().to_string(), source };
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(failed(io::Error::new(io::ErrorKind::AddrInUse, "another gateway listens there")));
            }
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Answers whoever asks, for ever.
    pub async fn serve(self, control: Control) {
        let serve = |stream: UnixStream| {
            let control = control.clone();
            async move {
                let _ended = conversation::converse(stream, Way::Local, &control).await;
            }
        };
        serve_each(&self.listener, CONNECTIONS_MAX, serve).await;
    }

    /// Asks a gateway that listens at a path.
    ///
    /// # Errors
    /// When nobody listens there, or no answer comes in time.
    pub async fn ask(path: &Path, request: &Request, limit: Duration) -> io::Result<Answer> {
        let asked = async { conversation::ask(UnixStream::connect(path).await?, request).await };
        timeout(limit, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
