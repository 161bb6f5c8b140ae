//! How a server's certificate is checked, in libpq's words, for both drivers.
//!
//! `sslmode=verify-full` is the only mode that proves whom one talks to. Nothing here falls back to a weaker
//! check: a file of authorities that cannot be used is an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atalaya_estate::{ConnectionUrl, TlsMode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The mode checks certificates, but no authority to check against is named.
    #[error("`sslmode={0}` needs `sslrootcert`, the file of the authorities to trust")]
    NoRootCertificate(&'static str),
    /// The file of authorities cannot be read.
    #[error("the file of trusted authorities `{}` cannot be read", path.display())]
    Unreadable {
        /// The file named by `sslrootcert`.
        path: PathBuf,
        /// What the file system or the PEM reader said.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("the file of trusted authorities `{}` holds no certificate in PEM format", .0.display())]
    Empty(PathBuf),
    /// The file holds something that is not a certificate.
    #[error("the file of trusted authorities `{}` holds a certificate that cannot be used", path.display())]
    BadCertificate {
        /// The file named by `sslrootcert`.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The TLS library refuses its own settings.
    #[error("TLS cannot be set up")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TlsError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRootCertificate(_) => Some("add `sslrootcert=/path/to/ca.pem` to the connection URL".to_owned()),
            Self::Unreadable { .. } | Self::Empty(_) | Self::BadCertificate { .. } => Some(
                "`sslrootcert` names a file with one or more `BEGIN CERTIFICATE` blocks, readable by this user"
                    .to_owned(),
            ),
            Self::Setup(_) => None,
        }
    }
}

/// The configuration for a connection to `url`. It does not say *whether* TLS is spoken: for
/// [`TlsMode::Disable`] and [`TlsMode::Prefer`] it checks no certificate.
///
/// # Errors
/// When the mode checks certificates and the authorities are missing or unusable.
pub(crate) fn client_config(url: &ConnectionUrl) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match (url.tls(), url.root_certificate()) {
        (TlsMode::Disable | TlsMode::Prefer, _) | (TlsMode::Require, None) => {
            Arc::new(Unverified { provider: Arc::clone(&provider) })
        }
        (TlsMode::Require | TlsMode::VerifyCa, Some(path)) => {
            Arc::new(ChainOnly { roots: authorities(path)?, provider: Arc::clone(&provider) })
        }
        (TlsMode::VerifyFull, Some(path)) => {
            let roots = Arc::new(authorities(path)?);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| TlsError::Setup(error.into()))?
        }
        (TlsMode::VerifyCa, None) => return Err(TlsError::NoRootCertificate("verify-ca")),
        (TlsMode::VerifyFull, None) => return Err(TlsError::NoRootCertificate("verify-full")),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.into()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        roots
            .add(certificate.map_err(unreadable)?)
            .map_err(|source| TlsError::BadCertificate { path: path.to_owned(), source })?;
    }
    if roots.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(roots)
}

/// Checks nothing about the certificate (`prefer`, `require`), only that the peer holds its key.
#[derive(Debug)]
struct Unverified {
    provider: Arc<CryptoProvider>,
}

/// Checks the chain to a trusted authority, not the name (`verify-ca`).
#[derive(Debug)]
struct ChainOnly {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

macro_rules! handshake_signatures_are_checked {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    handshake_signatures_are_checked!();
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let certificate = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    handshake_signatures_are_checked!();
}

/// Why a server's certificate was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It was issued for another name.
    Name,
    /// It was issued by nobody we trust.
    Authority,
    /// Anything else: expired, no common version.
    Other,
}

impl Rejection {
    /// The next step.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::Name => "connect by a name that the certificate lists; `sslmode=verify-ca` checks the authority only",
            Self::Authority => "`sslrootcert` has to name the authority that issued the server's certificate",
            Self::Other => "the server has to offer TLS 1.2 or 1.3 with a valid certificate",
        }
    }
}

/// What of an error's causes is a failed handshake, if one is.
pub(crate) fn rejection(error: &(dyn std::error::Error + 'static)) -> Option<Rejection> {
    use rustls::CertificateError::{BadSignature, NotValidForName, NotValidForNameContext, UnknownIssuer};
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An io::Error that wraps another gives that one's cause as its own, and so hides it.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner.or_else(|| error.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                return Some(Rejection::Name);
            }
            Some(rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature)) => return Some(Rejection::Authority),
            Some(_) => return Some(Rejection::Other),
            None => cause = error.source(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(parameters: &str) -> Result<Arc<ClientConfig>, TlsError> {
        client_config(&ConnectionUrl::parse(&format!("postgres://u@h/d?{parameters}")).unwrap())
    }

    #[test]
    fn a_check_without_authorities_is_refused_with_a_hint() {
        for mode in ["verify-ca", "verify-full"] {
            let error = config(&format!("sslmode={mode}")).unwrap_err();
            assert!(error.to_string().contains(mode) && error.hint().unwrap().contains("sslrootcert"), "{error}");
        }
        assert!(config("sslmode=require").is_ok());
    }

    #[test]
    fn an_unusable_file_of_authorities_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "no certificate").unwrap();
        let missing = folder.path().join("missing.pem");
        for (path, is_empty) in [(&empty, true), (&missing, false)] {
            let error = config(&format!("sslmode=verify-full&sslrootcert={}", path.display())).unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            assert_eq!(matches!(error, TlsError::Empty(_)), is_empty);
        }
    }
}
