//! Who has a certificate of the authority is heard, nobody else.

use std::sync::Arc;
use std::time::Duration;

use atalaya_gateway::admin::{AdminIdentity, Answer, RemoteAdmin, Request};
use atalaya_sandbox::free_port;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::serving::{Authority, Serving};

const LIMIT: Duration = Duration::from_secs(30);

fn start(authority: &Authority) -> (Serving, u16) {
    let port = free_port().unwrap();
    let own = authority.issue("gateway", "localhost");
    let [certificate, key, root] = [&own.certificate, &own.key, &own.authority].map(|path| path.display().to_string());
    let lines = format!(
        "  admin: {{ listen: 'localhost:{port}', certificate: '{certificate}', key: '{key}', authority: '{root}' }}\n"
    );
    (Serving::start(&lines), port)
}

async fn status(port: u16, files: &AdminIdentity) -> std::io::Result<Answer> {
    RemoteAdmin::new("localhost", port, files).unwrap().ask(&Request::Status, LIMIT).await
}

#[tokio::test]
async fn an_administrator_of_the_authority_pauses_resumes_and_reloads() {
    let authority = Authority::new();
    let (gateway, port) = start(&authority);
    let admin = RemoteAdmin::new("localhost", port, &authority.issue("admin", "somebody")).unwrap();
    let ask = async |request: Request| admin.ask(&request, LIMIT).await.unwrap();
    let mut client = gateway.client().await;

    let pause = Request::Pause { database: "shop".to_owned(), drain_limit_ms: 30_000, hold_limit_ms: 60_000 };
    let Answer::Paused { epoch, .. } = ask(pause).await else { panic!("not paused") };
    let Answer::Status(status) = ask(Request::Status).await else { panic!("no status") };
    assert_eq!(status.databases[0].gate.paused_epoch, Some(epoch));
    let resume = Request::Resume { database: "shop".to_owned(), epoch: Some(epoch), to: None };
    assert!(matches!(ask(resume).await, Answer::Resumed { .. }));
    assert!(matches!(ask(Request::Reload).await, Answer::Reloaded));
    client.simple_query("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn another_authority_gets_nothing_on_either_side() {
    let authority = Authority::new();
    let (_gateway, port) = start(&authority);
    let other = Authority::new();
    let stranger = other.issue("admin", "somebody");
    // The gateway is who it has to be, the administrator is not.
    let as_ours = AdminIdentity { authority: authority.path("authority.pem"), ..stranger.clone() };
    assert!(status(port, &as_ours).await.is_err());
    // The gateway is of another authority than the administrator believes.
    assert!(status(port, &stranger).await.is_err());
    // And one with everything right is still heard.
    assert!(status(port, &authority.issue("admin", "somebody")).await.is_ok());
}

#[tokio::test]
async fn a_reload_takes_the_authority_anew() {
    let authority = Authority::new();
    let (_gateway, port) = start(&authority);
    let former = authority.issue("admin", "somebody");
    let next = Authority::new();
    let gateways = std::fs::read(authority.path("authority.pem")).unwrap();
    std::fs::copy(next.path("authority.pem"), authority.path("authority.pem")).unwrap();
    let roots = next.path("gateways.pem");
    std::fs::write(&roots, gateways).unwrap();
    let former = AdminIdentity { authority: roots.clone(), ..former };
    let admin = RemoteAdmin::new("localhost", port, &former).unwrap();
    assert!(matches!(admin.ask(&Request::Reload, LIMIT).await.unwrap(), Answer::Reloaded));
    assert!(admin.ask(&Request::Status, LIMIT).await.is_err(), "the former authority counts no more");
    let admin = AdminIdentity { authority: roots, ..next.issue("admin", "somebody") };
    assert!(status(port, &admin).await.is_ok());
}

#[tokio::test]
async fn without_a_certificate_nothing_is_told() {
    let authority = Authority::new();
    let (_gateway, port) = start(&authority);
    assert_eq!(told(port, &authority, &rustls::version::TLS13, None).await, "");
    assert_eq!(told(port, &authority, &rustls::version::TLS12, None).await, "");
    let admin = authority.issue("admin", "somebody");
    assert_eq!(told(port, &authority, &rustls::version::TLS12, Some(&admin)).await, "", "an older TLS");
    let heard = told(port, &authority, &rustls::version::TLS13, Some(&admin)).await;
    assert!(heard.starts_with("{\"answer\":\"status\""), "{heard}");
}

#[tokio::test]
async fn plain_text_is_not_answered() {
    let authority = Authority::new();
    let (_gateway, port) = start(&authority);
    let mut stream = TcpStream::connect(("localhost", port)).await.unwrap();
    stream.write_all(b"{\"verb\":\"status\"}\n").await.unwrap();
    let mut answer = Vec::new();
    let _cut_off = stream.read_to_end(&mut answer).await;
    assert!(!answer.contains(&b'{'), "{answer:?}");
}

/// What a client of this version is told, with or without a certificate.
async fn told(
    port: u16,
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    files: Option<&AdminIdentity>,
) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.path("authority.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match files {
        None => config.with_no_client_auth(),
        Some(files) => {
            let certificate = CertificateDer::from_pem_file(&files.certificate).unwrap();
            config.with_client_auth_cert(vec![certificate], PrivateKeyDer::from_pem_file(&files.key).unwrap()).unwrap()
        }
    };
    let stream = TcpStream::connect(("localhost", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else {
        return String::new();
    };
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let _cut_off = stream.write_all(b"{\"verb\":\"status\"}\n").await;
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap_or_default();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}
