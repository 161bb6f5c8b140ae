//! The administration's socket in the file system. Who may use it, the file's permissions say.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Answer, Refused, Request};
use crate::error::GatewayError;
use crate::run::Control;

/// Only the owner administers.
const MODE: u32 = 0o600;
/// A request has no more bytes than this.
const REQUEST_BYTES_MAX: u64 = 64 << 10;
const CONNECTIONS_MAX: usize = 32;
/// A connection that says nothing.
const SILENCE: Duration = Duration::from_secs(60);

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
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let control = control.clone();
                    tokio::spawn(async move {
                        let _ended = converse(stream, &control).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = error.to_string(), "an administrator could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Asks a gateway that listens at a path.
    ///
    /// # Errors
    /// When nobody listens there, or no answer comes in time.
    pub async fn ask(path: &Path, request: &Request, limit: Duration) -> io::Result<Answer> {
        let asked = async {
            let mut stream = UnixStream::connect(path).await?;
            let mut line = serde_json::to_vec(request)?;
            line.push(b'\n');
            stream.write_all(&line).await?;
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).await?;
            Ok(serde_json::from_str(&answer)?)
        };
        timeout(limit, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, control: &Control) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = String::new();
        let mut limited = (&mut lines).take(REQUEST_BYTES_MAX);
        let Ok(read) = timeout(SILENCE, limited.read_line(&mut line)).await else { return Ok(()) };
        if read? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => control.answer(request).await,
            Err(_) => Answer::Refused(Refused::Unknown),
        };
        let mut out = serde_json::to_vec(&answer)?;
        out.push(b'\n');
        timeout(SILENCE, write.write_all(&out)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    }
}
