//! Ways in, and ways to be refused: each told apart, each with a hint.

use atalaya_postgres::wire::{LoginFailure, WireConnection, WireError};
use atalaya_sandbox::{PasswordEncryption, Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::support::{options, parse, start};

async fn refused(url: &str) -> WireError {
    let error = WireConnection::connect(&parse(url), &options()).await.unwrap_err();
    assert!(error.hint().is_some(), "no hint: {error:?}");
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    error
}

#[tokio::test]
async fn passwords_are_proven_by_scram_on_18_and_md5_on_13() {
    let md5 = Server::start(ServerOptions::new(13).password_encryption(PasswordEncryption::Md5)).unwrap();
    for server in [md5, start(18)] {
        let url = parse(&server.url("postgres"));
        let connection = WireConnection::connect(&url, &options()).await.unwrap();
        assert_eq!(connection.server_major_version(), Some(server.version().into()));
        assert!(!connection.is_channel_bound());
        let error =
            refused(&format!("postgres://{}:hunter2@127.0.0.1:{}/postgres?sslmode=disable", url.user(), server.port()))
                .await;
        assert_eq!(error.sqlstate(), Some("28P01"));
        assert!(matches!(error, WireError::Login { reason: LoginFailure::Password, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn each_refusal_of_a_server_is_told_apart() {
    let server = start(18);
    let error = refused(&server.url("nowhere")).await;
    assert!(matches!(error, WireError::Login { reason: LoginFailure::Database, .. }), "{error:?}");

    let url = parse(&server.url("postgres"));
    let error = refused(&format!("postgres://{}@127.0.0.1:{}/postgres", url.user(), server.port())).await;
    assert!(matches!(error, WireError::NoPassword { .. }), "{error:?}");

    let error = refused(&server.url("postgres").replace("disable", "require")).await;
    assert!(matches!(error, WireError::TlsRefused { .. }), "{error:?}");

    server.run_sql("postgres", "create role stranger nologin password 'hunter2'").unwrap();
    let error =
        refused(&format!("postgres://stranger:hunter2@127.0.0.1:{}/postgres?sslmode=disable", server.port())).await;
    assert!(matches!(error, WireError::Login { reason: LoginFailure::NotAllowed, .. }), "{error:?}");
}

#[tokio::test]
async fn a_unix_socket_is_a_host() {
    let server = start(18);
    let folder = server.socket_folder().to_str().unwrap().replace('/', "%2F");
    let user = parse(&server.url("postgres")).user().to_owned();
    let url = parse(&format!("postgres://{user}@{folder}:{}/postgres?sslmode=verify-full", server.port()));
    WireConnection::connect(&url, &options()).await.unwrap();
}

#[tokio::test]
async fn a_place_without_a_server_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Accepts by the backlog and never answers.
    let error = refused(&format!("postgres://u:hunter2@127.0.0.1:{port}/d?connect_timeout=1")).await;
    assert!(matches!(error, WireError::ConnectTimeout { .. }), "{error:?}");
    // Nothing listens on port 1 of loopback; a port that was free a moment ago may be another test's by now.
    let error = refused("postgres://u:hunter2@127.0.0.1:1/d").await;
    assert!(matches!(error, WireError::Connect { .. }), "{error:?}");
    // A label over 63 characters is no name, so nobody is asked for it.
    let error = refused(&format!("postgres://u:hunter2@{}.invalid/d", "x".repeat(70))).await;
    assert!(matches!(error, WireError::UnknownHost { .. }), "{error:?}");
}

#[tokio::test]
async fn a_password_is_never_sent_in_clear_text_over_plain_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let length = socket.read_u32().await.unwrap();
        let mut startup = vec![0; usize::try_from(length - 4).unwrap()];
        socket.read_exact(&mut startup).await.unwrap();
        socket.write_all(b"R\0\0\0\x08\0\0\0\x03").await.unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await.unwrap();
        rest
    });
    let error = refused(&format!("postgres://u:hunter2@127.0.0.1:{port}/d?sslmode=disable")).await;
    assert!(matches!(error, WireError::CleartextPassword { .. }), "{error:?}");
    assert_eq!(peer.await.unwrap(), b"");
}
