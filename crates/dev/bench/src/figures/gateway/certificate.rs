//! A certificate for the gateway, made for one run, and clients that trust it and nothing else.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::client::HOST;
use crate::child;
use crate::error::Error;

/// What a handshake is signed by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    /// ECDSA over P-256: signed in no time.
    P256,
    /// RSA of 4096 bits: milliseconds for who signs, next to nothing for who checks.
    Rsa4096,
}

impl Key {
    fn make(self) -> Result<KeyPair, Error> {
        match self {
            Self::P256 => KeyPair::generate().map_err(unmade),
            Self::Rsa4096 => {
                // The library that everything else is made by does not make RSA keys.
                let failed = |source| Error::Run { program: "mkdir".to_owned(), source };
                let folder = tempfile::tempdir().map_err(failed)?;
                let file = folder.path().join("key.pem");
                let mut openssl = std::process::Command::new("openssl");
                openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096", "-out"]).arg(&file);
                child::time(&mut openssl)?;
                KeyPair::from_pem(&std::fs::read_to_string(&file).map_err(failed)?).map_err(unmade)
            }
        }
    }
}

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
    pub(super) fn make(key: Key) -> Result<Self, Error> {
        let key = key.make()?;
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
