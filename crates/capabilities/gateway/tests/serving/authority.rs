//! Certificates that are made when they are needed.

use std::path::{Path, PathBuf};

use atalaya_gateway::admin::AdminIdentity;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Who issues certificates, as files in a folder.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(parameters, key), folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a name, and its key.
    pub(crate) fn issue(&self, file: &str, name: &str) -> AdminIdentity {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let identity = AdminIdentity {
            certificate: self.path(&format!("{file}.crt")),
            key: self.path(&format!("{file}.key")),
            authority: self.path("authority.pem"),
        };
        write(&identity.certificate, &certificate.pem());
        write(&identity.key, &key.serialize_pem());
        identity
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
