//! A certificate for the gateway, made for one run, and clients that trust it and nothing else.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, SupportedCipherSuite};

use super::client::HOST;
use crate::error::Error;

/// Signed by itself.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    /// PEM.
    pub(super) chain: String,
    /// PEM.
    pub(super) key: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// For the name by which clients call the gateway.
    pub(super) fn make() -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()])
            .map_err(|error| Error::OtherWork(format!("no certificate could be made: {error}")))?;
        Ok(Self { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() })
    }

    /// For clients that speak TLS 1.3 by these ciphers.
    pub(super) fn trust(&self, ciphers: &[SupportedCipherSuite]) -> Result<Arc<ClientConfig>, Error> {
        let failed = |error: rustls::Error| Error::OtherWork(format!("no TLS could be set up: {error}"));
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).map_err(failed)?;
        let provider = CryptoProvider { cipher_suites: ciphers.to_vec(), ..ring::default_provider() };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(failed)?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}
