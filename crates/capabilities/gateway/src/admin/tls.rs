//! TLS between administrators and the gateway: 1.3 only, and both sides show a certificate.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::configuration::{ConfigurationError, identity};

/// Who one is, and whose certificates one believes: three PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminIdentity {
    /// The own certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// The own private key.
    pub key: PathBuf,
    /// The authority that the other side's certificate has to come from.
    pub authority: PathBuf,
}

/// The gateway's side.
#[derive(Clone)]
pub(crate) struct AdminTls(pub(super) TlsAcceptor);

impl fmt::Debug for AdminTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AdminTls").finish_non_exhaustive()
    }
}

impl AdminTls {
    pub(crate) fn of(files: &AdminIdentity) -> Result<Self, ConfigurationError> {
        let (certificates, key) = identity(&files.certificate, &files.key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(authority(files)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|_| unusable_authority(files, None))?;
        let unusable = |source| ConfigurationError::Tls { path: files.certificate.clone(), source };
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates, key)
            .map_err(unusable)?;
        // A resumed session would be one whose certificate nobody looked at again.
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config).into()))
    }
}

/// The administrator's side.
pub(super) fn connector(files: &AdminIdentity) -> Result<TlsConnector, ConfigurationError> {
    let (certificates, key) = identity(&files.certificate, &files.key)?;
    let unusable = |source| ConfigurationError::Tls { path: files.certificate.clone(), source };
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_root_certificates(authority(files)?)
        .with_client_auth_cert(certificates, key)
        .map_err(unusable)?;
    Ok(Arc::new(config).into())
}

fn authority(files: &AdminIdentity) -> Result<RootCertStore, ConfigurationError> {
    let unreadable = |source| ConfigurationError::Pem { path: files.authority.clone(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&files.authority).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?).map_err(|source| unusable_authority(files, Some(source)))?;
    }
    if roots.is_empty() {
        return Err(unusable_authority(files, None));
    }
    Ok(roots)
}

fn unusable_authority(files: &AdminIdentity, source: Option<rustls::Error>) -> ConfigurationError {
    ConfigurationError::Authority { path: files.authority.clone(), source }
}
