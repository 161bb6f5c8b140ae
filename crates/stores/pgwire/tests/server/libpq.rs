//! psql, hence libpq, logs in to what is written here, as to a server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use atalaya_pgwire::TransactionStatus;
use atalaya_pgwire::server::{
    FirstPacket, Query, Refusal, SaslInitial, ScramServer, ScramVerifier, Severity, client_tag, first_packet, header,
    reply,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server in a test is like.
#[derive(Clone, Copy)]
struct Manner {
    tls: Tls,
    /// The minor version of the protocol that it admits to.
    minor: u16,
    secret: &'static [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    Without,
    /// Bound to the certificate that it shows.
    Bound,
    /// Bound to another certificate, as a server behind somebody in the middle would be.
    BoundElsewhere,
}

const PLAIN: Manner = Manner { tls: Tls::Without, minor: 0, secret: &[1; 4] };

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

struct Session {
    stream: Box<dyn Stream>,
    bytes: Vec<u8>,
}

impl Session {
    fn more(&mut self) {
        let mut chunk = [0; 4096];
        let length = self.stream.read(&mut chunk).unwrap();
        assert_ne!(length, 0, "psql went away");
        self.bytes.extend_from_slice(&chunk[..length]);
    }

    fn first(&mut self) -> FirstPacket {
        loop {
            if let Some((packet, consumed)) = first_packet(&self.bytes).unwrap() {
                self.bytes.drain(..consumed);
                return packet;
            }
            self.more();
        }
    }

    fn message(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some((tag, length)) = header(&self.bytes).unwrap()
                && self.bytes.len() >= 5 + length
            {
                let message = self.bytes.drain(..5 + length).skip(5).collect();
                return (tag, message);
            }
            self.more();
        }
    }

    fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.stream.write_all(&out).unwrap();
        self.stream.flush().unwrap();
    }
}

fn refusal(severity: Severity, sqlstate: &'static str, message: &str) -> Refusal {
    let hint = Some("ask somebody".to_owned());
    Refusal { severity, sqlstate, message: message.to_owned(), detail: None, hint, routine: None }
}

/// Serves one session: login, one query that is refused, the end. Returns the query.
fn serve(stream: TcpStream, manner: Manner) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut session = Session { stream: Box::new(stream.try_clone().unwrap()), bytes: Vec::new() };
    let mut first_byte = [0];
    stream.peek(&mut first_byte).unwrap();
    let is_direct = first_packet(&first_byte).unwrap() == Some((FirstPacket::DirectTls, 0));
    let mut packet = if is_direct { FirstPacket::DirectTls } else { session.first() };
    let mut end_point = None;
    if packet == FirstPacket::Gss {
        session.send(|out| out.push(b'N'));
        packet = session.first();
    }
    if matches!(packet, FirstPacket::Ssl | FirstPacket::DirectTls) {
        if packet == FirstPacket::Ssl {
            session.send(|out| out.push(if manner.tls == Tls::Without { b'N' } else { b'S' }));
        }
        if manner.tls != Tls::Without {
            let (config, hash) = tls();
            session.stream = Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
            end_point = Some(if manner.tls == Tls::Bound { hash } else { vec![0; 32] });
        }
        packet = session.first();
    }
    let FirstPacket::Startup(request) = packet else { panic!("{packet:?}") };
    assert_eq!((request.user(), request.database(), request.get("application_name")), ("a", "b", Some("psql")));
    if request.minor > manner.minor || !request.unknown_options.is_empty() {
        let unknown: Vec<&str> = request.unknown_options.iter().map(String::as_str).collect();
        session.send(|out| reply::negotiate_protocol_version(manner.minor, &unknown, out));
    }
    authenticate(&mut session, end_point)?;
    session.send(|out| {
        reply::authentication_ok(out);
        reply::parameter_status("server_version", "18.0", out);
        reply::parameter_status("client_encoding", "UTF8", out);
        reply::backend_key_data(7, manner.secret, out);
        reply::notice(&refusal(Severity::Notice, "00000", "welcome"), out);
        reply::ready_for_query(TransactionStatus::Idle, out);
    });
    let (tag, body) = session.message();
    assert_eq!(tag, client_tag::QUERY);
    session.send(|out| {
        reply::error(&refusal(Severity::Error, "42501", "not here"), out);
        reply::ready_for_query(TransactionStatus::Idle, out);
    });
    assert_eq!(session.message().0, client_tag::TERMINATE);
    Some(String::from_utf8(Query::decode(&body).unwrap().sql.to_vec()).unwrap())
}

fn authenticate(session: &mut Session, end_point: Option<Vec<u8>>) -> Option<()> {
    let verifier = ScramVerifier::of_password("secret", [3; 16], 4096);
    session.send(|out| reply::authentication_sasl(ScramServer::mechanisms(end_point.as_deref()), out));
    let mut scram = ScramServer::new(verifier, end_point, [9; 18]);
    let (tag, body) = session.message();
    assert_eq!(tag, client_tag::PASSWORD);
    let initial = SaslInitial::decode(&body).unwrap();
    let challenge = scram.initial(initial.mechanism, initial.data).unwrap();
    session.send(|out| reply::authentication_sasl_continue(&challenge, out));
    match scram.proceed(&session.message().1) {
        Ok(proof) => {
            session.send(|out| reply::authentication_sasl_final(&proof, out));
            Some(())
        }
        Err(failure) => {
            let refusal = refusal(Severity::Fatal, failure.sqlstate(), &failure.to_string());
            session.send(|out| reply::error(&refusal, out));
            None
        }
    }
}

/// A certificate of its own, and its hash by RFC 5929: it is signed with SHA-256, so that is the hash's function.
fn tls() -> (Arc<ServerConfig>, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, made.cert.der()).as_ref().to_vec();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    (Arc::new(config), hash)
}

fn run(manner: Manner, options: &str, password: &str) -> (Option<String>, Output) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let psql = Command::new(atalaya_sandbox::client_tools(18).unwrap().join("psql"))
        .args(["--no-psqlrc", "--set", "VERBOSITY=verbose", "--command", "select 1", "--dbname"])
        .arg(format!("host=127.0.0.1 port={port} user=a dbname=b connect_timeout=60 {options}"))
        .env_clear()
        .env("PGPASSWORD", password)
        .env("PGSSLROOTCERT", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let server = thread::spawn(move || serve(listener.accept().unwrap().0, manner));
    let output = psql.wait_with_output().unwrap();
    // Had it never connected, the server would wait for ever.
    drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    (server.join().unwrap(), output)
}

fn logs_in(manner: Manner, options: &str) {
    let (query, output) = run(manner, options, "secret");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(query.as_deref(), Some("select 1"), "{said}");
    assert!(said.contains("NOTICE:  welcome"), "{said}");
    assert!(said.contains("ERROR:  42501: not here\nHINT:  ask somebody"), "{said}");
}

fn is_refused(manner: Manner, options: &str, password: &str, expected: &str) {
    let (query, output) = run(manner, options, password);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(query.is_none() && said.contains(expected), "{said}");
}

#[test]
fn psql_logs_in_by_scram_and_reads_errors_and_notices() {
    logs_in(PLAIN, "sslmode=prefer gssencmode=disable");
    logs_in(PLAIN, "sslmode=disable");
}

#[test]
fn psql_logs_in_with_its_channel_bound() {
    logs_in(Manner { tls: Tls::Bound, ..PLAIN }, "sslmode=require channel_binding=require");
    logs_in(Manner { tls: Tls::Bound, ..PLAIN }, "sslmode=require channel_binding=disable");
    logs_in(Manner { tls: Tls::Bound, ..PLAIN }, "sslmode=require channel_binding=require sslnegotiation=direct");
}

#[test]
fn psql_with_a_wrong_password_or_on_another_channel_is_refused() {
    is_refused(PLAIN, "sslmode=disable", "guess", "password authentication failed");
    let elsewhere = Manner { tls: Tls::BoundElsewhere, ..PLAIN };
    is_refused(elsewhere, "sslmode=require channel_binding=require", "secret", "another TLS channel");
}

#[test]
fn psql_takes_long_cancel_keys_in_protocol_3_2_and_an_older_version_instead() {
    let newest = "sslmode=disable max_protocol_version=latest";
    for secret in [&[1; 4][..], &[2; 32], &[3; 256]] {
        logs_in(Manner { minor: 2, secret, ..PLAIN }, newest);
    }
    logs_in(PLAIN, newest);
}
