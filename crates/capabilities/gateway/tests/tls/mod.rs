//! Encrypted connections.

use std::net::TcpStream;
use std::sync::Arc;

use atalaya_postgres::wire::server_end_point;
use atalaya_sandbox::fresh_database;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use tempfile::TempDir;

use crate::support::{Client, Gateway, Setup, query, ssl_request, tags};

struct Encrypted {
    gateway: Gateway,
    certificate: Vec<u8>,
    _files: TempDir,
}

fn encrypted(required: bool) -> Encrypted {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name);
    std::fs::write(path("crt"), made.cert.pem()).unwrap();
    std::fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    let (server, database) = fresh_database(18).unwrap();
    let line = format!(
        "tls: {{ certificate: \"{}\", key: \"{}\", required: {required} }}",
        path("crt").display(),
        path("key").display()
    );
    let gateway = Setup::of(server, &database).gateway(&line).start();
    Encrypted { gateway, certificate: made.cert.der().to_vec(), _files: files }
}

/// The certificate is the tests' own; what is tested is not whom it names.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn over_tls(client: Client, alpn: &[&[u8]]) -> Client {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    client.over(|socket: TcpStream| Box::new(StreamOwned::new(connection, socket)))
}

fn asked(gateway: &Gateway) -> Client {
    let mut client = Client::open(gateway.port);
    client.send(&ssl_request());
    assert_eq!(client.bytes(1), b"S");
    client
}

#[test]
fn a_client_may_come_with_and_without() {
    let served = encrypted(false);
    let mut plain = served.gateway.client();
    let mut client = over_tls(asked(&served.gateway), &[]).log_in(&served.gateway.login(), None).unwrap();
    for _ in 0..3 {
        assert_eq!(client.run("SELECT repeat('x', 100000) = repeat('x', 100000)"), "t");
        assert_eq!(plain.run("SELECT 1"), "1");
    }
    assert_eq!(client.run("SELECT repeat('x', 1000000)").len(), 1_000_000);
}

#[test]
fn a_password_exchange_is_bound_to_the_channel() {
    let served = encrypted(false);
    let end_point = server_end_point(&served.certificate);
    assert!(end_point.is_some());
    let mut client = over_tls(asked(&served.gateway), &[]).log_in(&served.gateway.login(), end_point).unwrap();
    assert_eq!(client.run("SELECT 1"), "1");
    // As somebody in the middle would show another certificate.
    let refused =
        over_tls(asked(&served.gateway), &[]).log_in(&served.gateway.login(), Some(vec![7; 32])).err().unwrap();
    assert_eq!(refused.sqlstate, "28000");
}

#[test]
fn who_comes_without_is_refused_where_encryption_is_required() {
    let served = encrypted(true);
    assert_eq!(Client::try_login(&served.gateway.login()).err().unwrap().sqlstate, "28000");
    let mut client = over_tls(asked(&served.gateway), &[]).log_in(&served.gateway.login(), None).unwrap();
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn encryption_at_once_needs_the_protocols_name() {
    let served = encrypted(true);
    let direct = |alpn: &[&[u8]]| over_tls(Client::open(served.gateway.port), alpn);
    let mut client = direct(&[b"postgresql"]).log_in(&served.gateway.login(), None).unwrap();
    assert_eq!(client.run("SELECT 1"), "1");
    for alpn in [&[][..], &[&b"http/1.1"[..]]] {
        let mut client = direct(alpn);
        let _sent = client.try_send(&crate::support::startup(&[("user", "app"), ("database", "shop")]));
        assert_eq!(client.until_end(), []);
    }
}

#[test]
fn bytes_between_the_request_and_the_handshake_are_not_taken_for_encrypted() {
    let served = encrypted(false);
    let mut client = Client::open(served.gateway.port);
    let start = crate::support::startup(&[("user", "app"), ("database", "shop")]);
    client.send(&[ssl_request(), start].concat());
    let said = client.until_end();
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(served.gateway.client().run("SELECT 1"), "1");
}

#[test]
fn a_cancel_request_may_come_encrypted() {
    let served = encrypted(true);
    let gateway = &served.gateway;
    let mut client = over_tls(asked(gateway), &[]).log_in(&gateway.login(), None).unwrap();
    client.send(&query("SELECT pg_sleep(600)"));
    atalaya_sandbox::eventually("it runs", || gateway.status().gate.running == 1);
    atalaya_sandbox::eventually("it ends", || {
        let mut request = over_tls(asked(gateway), &[]);
        request.send(&crate::support::cancel_request(client.process_id, &client.secret));
        request.until_end();
        gateway.status().gate.running == 0
    });
    assert_eq!(tags(&client.until_ready()), "T E57014 ZI");
}

#[test]
fn a_bound_client_over_tls_hears_what_it_listens_to() {
    let served = encrypted(false);
    let mut client = over_tls(asked(&served.gateway), &[]).log_in(&served.gateway.login(), None).unwrap();
    client.run("LISTEN news");
    client.send(&query("NOTIFY news, 'x'"));
    let said = client.until_ready();
    assert!(said.iter().any(|said| said.tag == b'A'), "{said:?}");
}
