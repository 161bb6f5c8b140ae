//! TLS as the URL asks for it.

use std::sync::Arc;

use atalaya_estate::ConnectionUrl;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Placeholder.
    #[error("tls")]
    Unsupported,
}

impl TlsError {
    pub(crate) fn hint(&self) -> String {
        String::new()
    }
}

pub(crate) fn client_config(_url: &ConnectionUrl) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    Err(TlsError::Unsupported)
}
