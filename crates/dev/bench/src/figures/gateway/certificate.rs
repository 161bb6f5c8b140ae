//! A certificate for the gateway, made for one run, and clients that trust it and nothing else.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::client::HOST;
use crate::error::Error;

fn unmade(error: rcgen::Error) -> Error {
    Error::OtherWork(format!("no certificate could be made: {error}"))
}

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
        let key = KeyPair::generate().map_err(unmade)?;
        let made = CertificateParams::new([HOST.to_owned()]).and_then(|of| of.self_signed(&key)).map_err(unmade)?;
        Ok(Self { chain: made.pem(), key: key.serialize_pem(), der: made.der().clone() })
    }

    /// For clients that speak TLS 1.3, each of which comes for the first time.
    pub(super) fn trust(&self) -> Result<Arc<ClientConfig>, Error> {
        let failed = |error: rustls::Error| Error::OtherWork(format!("no TLS could be set up: {error}"));
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).map_err(failed)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(failed)?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        // A session that goes on is not signed again.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}
