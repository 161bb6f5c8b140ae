//! Administration from other machines. Who may, the certificate says: one of the estate's authority, or nothing is
//! heard and nothing is told.

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::conversation::{self, CONNECTIONS_MAX, Way};
use super::tls::{AdminIdentity, connector};
use super::{Answer, Request};
use crate::configuration::ConfigurationError;
use crate::listen::serve_each;
use crate::run::Control;

/// From the first byte to the end of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers whoever may ask, for ever.
pub(crate) async fn serve(listener: TcpListener, control: Control) {
    serve_each(&listener, CONNECTIONS_MAX, |stream| serve_one(stream, control.clone())).await;
}

async fn serve_one(stream: TcpStream, control: Control) {
    // Certificates are those of the last reload.
    let Some(tls) = control.gateway.admin_tls() else { return };
    let reason = match timeout(HANDSHAKE, tls.0.accept(stream)).await {
        Ok(Ok(stream)) => {
            let _ended = conversation::converse(stream, Way::Network, &control).await;
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the handshake took too long".to_owned(),
    };
    tracing::info!(reason, "an administrator was not let in");
}

/// A gateway on another machine.
pub struct RemoteAdmin {
    host: String,
    port: u16,
    connector: TlsConnector,
}

impl RemoteAdmin {
    /// Reads the files. Nothing is connected yet. `host` is what the gateway's certificate has to be for.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn new(host: &str, port: u16, files: &AdminIdentity) -> Result<Self, ConfigurationError> {
        Ok(Self { host: host.to_owned(), port, connector: connector(files)? })
    }

    /// Asks it, over a connection of its own.
    ///
    /// # Errors
    /// When it is not there, is not who it has to be, does not let one in, or does not answer in time.
    pub async fn ask(&self, request: &Request, limit: Duration) -> io::Result<Answer> {
        let asked = async {
            let name = ServerName::try_from(self.host.clone());
            let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            conversation::ask(self.connector.connect(name, stream).await?, request).await
        };
        timeout(limit, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
