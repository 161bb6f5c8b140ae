//! Certificates: the right one, one of another authority, one for another name.

use std::path::{Path, PathBuf};

use atalaya_postgres::wire::{WireConnection, WireError};
use atalaya_sandbox::{Server, ServerOptions, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::support::{options, parse};

/// An authority, and a certificate it issued for `localhost`.
pub(crate) fn certificates() -> (String, TlsFiles) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "test authority");
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (root, TlsFiles::new(certificate.pem(), key.serialize_pem()).required())
}

struct Fixture {
    server: Server,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn connect(&self, host: &str, mode: &str, root: Option<&Path>) -> Result<WireConnection, WireError> {
        let parameters = root.map(|root| format!("&sslrootcert={}", root.display())).unwrap_or_default();
        let url = self
            .server
            .url("postgres")
            .replace("127.0.0.1", host)
            .replace("sslmode=disable", &format!("sslmode={mode}{parameters}"));
        WireConnection::connect(&parse(&url), &options()).await
    }
}

#[tokio::test]
async fn certificates_are_checked_as_far_as_the_mode_says() {
    let (root, files) = certificates();
    let (other_root, _) = certificates();
    let server = Server::start(ServerOptions::new(18).tls(files)).unwrap();
    let fixture = Fixture { server, folder: tempfile::tempdir().unwrap() };
    let root = fixture.file("root.pem", &root);
    let other = fixture.file("other.pem", &other_root);

    let mut connection = fixture.connect("localhost", "verify-full", Some(&root)).await.unwrap();
    assert!(connection.is_channel_bound(), "SCRAM-SHA-256-PLUS was not used");
    let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(super::support::value(&mut connection, encrypted).await, "t");

    for mode in ["verify-full", "verify-ca", "require"] {
        let error = fixture.connect("localhost", mode, Some(&other)).await.unwrap_err();
        assert!(matches!(error, WireError::UntrustedAuthority { .. }), "{mode}: {error:?}");
        assert!(error.hint().unwrap().contains("sslrootcert"));
    }
    let error = fixture.connect("127.0.0.1", "verify-full", Some(&root)).await.unwrap_err();
    assert!(matches!(error, WireError::WrongCertificateName { .. }), "{error:?}");
    fixture.connect("127.0.0.1", "verify-ca", Some(&root)).await.unwrap();
    for mode in ["require", "prefer"] {
        fixture.connect("127.0.0.1", mode, None).await.unwrap();
    }
    let error = fixture.connect("127.0.0.1", "verify-full", None).await.unwrap_err();
    assert!(matches!(error, WireError::Tls(_)), "{error:?}");
    let error = fixture.connect("127.0.0.1", "disable", None).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("28000"), "{error:?}");
}
