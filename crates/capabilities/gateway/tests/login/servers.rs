//! How the gateway proves itself to a server, with a client in front of it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use atalaya_sandbox::{PasswordEncryption, Server, ServerOptions, TlsFiles, eventually};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use crate::support::{Client, Setup};

/// A certificate for `localhost` with its key, in files.
struct Certificate {
    files: TempDir,
    pem: String,
    key: String,
}

impl Certificate {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (files, pem, key) = (tempfile::tempdir().unwrap(), made.cert.pem(), made.signing_key.serialize_pem());
        std::fs::write(files.path().join("crt"), &pem).unwrap();
        Self { files, pem, key }
    }

    fn options(&self, major: u16) -> ServerOptions {
        ServerOptions::new(major).tls(TlsFiles::new(&self.pem, &self.key).required())
    }

    /// The URL with the certificate as the only authority.
    fn url(&self, url: &str) -> String {
        verified(url, &self.files.path().join("crt"))
    }
}

fn verified(url: &str, authority: &Path) -> String {
    let mode = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    url.replace("127.0.0.1", "localhost").replace("sslmode=disable", &mode)
}

fn start(options: ServerOptions) -> Server {
    let server = Server::start(options).unwrap();
    server.create_database("shop").unwrap();
    server
}

/// Has a server ask for the password itself.
fn ask_in_clear_text(server: &Server) {
    let file = server.run_sql("postgres", "SHOW hba_file").unwrap();
    let access = std::fs::read_to_string(file.trim()).unwrap();
    std::fs::write(file.trim(), access.replace("scram-sha-256", "password")).unwrap();
    server.reload();
    let path = "SELECT pg_conf_load_time() > pg_postmaster_start_time()";
    eventually("the rules are read", || server.run_sql("postgres", path).unwrap().trim() == "t");
}

/// Who the server's session says it is, and how it got in.
fn served(setup: &Setup) -> String {
    setup.start().client().run("SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
}

fn refused(setup: &Setup) -> (String, String) {
    let refused = Client::try_login(&setup.start().login()).err().unwrap();
    (refused.sqlstate, refused.text)
}

#[test]
fn md5_is_answered_where_a_server_asks_for_it() {
    for major in [13, 18] {
        let server = start(ServerOptions::new(major).password_encryption(PasswordEncryption::Md5));
        let setup = Setup::of(&server, "shop");
        let role = setup.server_user();
        let kept = format!("SELECT left(rolpassword, 3) FROM pg_authid WHERE rolname = '{role}'");
        assert_eq!(server.run_sql("postgres", &kept).unwrap(), "md5");
        assert_eq!(served(&setup), format!("{role}|f"), "{major}");
        assert_eq!(refused(&Setup::new(&server.url("shop"), role, "not it")).0, "28000");
    }
}

#[test]
fn scram_is_bound_to_the_channel_so_that_nobody_in_the_middle_gets_in() {
    let (certificate, of_another) = (Certificate::new(), Certificate::new());
    let server = start(certificate.options(18));
    let setup = Setup::of(&server, "shop");
    let role = setup.server_user();
    let url = certificate.url(&server.url("shop"));
    assert_eq!(served(&setup.at(&url)), format!("{role}|t"));
    // One who has a certificate that the gateway believes, and passes on all that both sides say.
    let port = relay(server.port(), &certificate, &of_another);
    let through = of_another.url(&server.url("shop")).replace(&format!(":{}/", server.port()), &format!(":{port}/"));
    assert_eq!(refused(&setup.at(&through)).0, "28000");
    // With the server's own certificate, the same one in the middle is not noticed: what was refused was the other one.
    let port = relay(server.port(), &certificate, &certificate);
    let through = url.replace(&format!(":{}/", server.port()), &format!(":{port}/"));
    assert_eq!(served(&setup.at(&through)), format!("{role}|t"));
}

#[test]
fn a_secret_is_sent_in_clear_text_over_tls_only() {
    let certificate = Certificate::new();
    let server = start(ServerOptions::new(18).tls(TlsFiles::new(&certificate.pem, &certificate.key)));
    ask_in_clear_text(&server);
    let setup = Setup::of(&server, "shop");
    let role = setup.server_user();
    assert_eq!(served(&setup.at(&certificate.url(&server.url("shop")))), format!("{role}|t"));
    // Told at once: it is no use to try again, however long a client might wait.
    let (sqlstate, text) = refused(&setup.wait_seconds(600));
    assert_eq!(sqlstate, "28000");
    assert!(text.contains("clear text"), "{text}");
}

/// Ends the TLS of whoever comes, and passes what it says on to the server over TLS of its own; the port.
fn relay(server_port: u16, server: &Certificate, shown: &Certificate) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.pem.as_bytes()).unwrap()).unwrap();
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let to = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let to = Arc::new(to.with_root_certificates(roots).with_no_client_auth());
    let from = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(shown.pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
    let from = Arc::new(from.with_no_client_auth().with_single_cert(chain, key).unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (to, from) = (Arc::clone(&to), Arc::clone(&from));
            // A side that ends it is what the test looks at.
            thread::spawn(move || pass_on(client, server_port, to, from).err());
        }
    });
    port
}

fn pass_on(
    mut client: TcpStream,
    server_port: u16,
    to: Arc<ClientConfig>,
    from: Arc<ServerConfig>,
) -> Result<(), io::Error> {
    let mut request = [0; 8];
    client.read_exact(&mut request)?;
    client.write_all(b"S")?;
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port))?;
    server.write_all(&request)?;
    server.read_exact(&mut [0])?;
    let mut near = ServerConnection::new(from).map_err(io::Error::other)?;
    let mut far = ClientConnection::new(to, "localhost".try_into().unwrap()).map_err(io::Error::other)?;
    while near.is_handshaking() {
        near.complete_io(&mut client)?;
    }
    while far.is_handshaking() {
        far.complete_io(&mut server)?;
    }
    for socket in [&client, &server] {
        socket.set_nonblocking(true)?;
    }
    loop {
        let from_near = take(near.read_tls(&mut client))?;
        let from_far = take(far.read_tls(&mut server))?;
        near.process_new_packets().map_err(io::Error::other)?;
        far.process_new_packets().map_err(io::Error::other)?;
        let (mut said, mut answered) = (Vec::new(), Vec::new());
        take(near.reader().read_to_end(&mut said))?;
        take(far.reader().read_to_end(&mut answered))?;
        far.writer().write_all(&said)?;
        near.writer().write_all(&answered)?;
        while near.wants_write() && take(near.write_tls(&mut client))? != Taken::Later {}
        while far.wants_write() && take(far.write_tls(&mut server))? != Taken::Later {}
        if from_near == Taken::End || from_far == Taken::End {
            return Ok(());
        }
        thread::yield_now();
    }
}

#[derive(PartialEq, Eq)]
enum Taken {
    Some,
    Later,
    End,
}

fn take(result: io::Result<usize>) -> io::Result<Taken> {
    match result {
        Ok(0) => Ok(Taken::End),
        Ok(_) => Ok(Taken::Some),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Taken::Later),
        Err(error) => Err(error),
    }
}
