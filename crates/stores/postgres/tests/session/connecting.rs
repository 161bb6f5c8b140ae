//! Both drivers connect within one limit, fail in the same ways, and say alike whether another try can help.

use atalaya_postgres::wire::{WireConnection, WireError, WireOptions};
use atalaya_postgres::{Error, Retry, Session};
use atalaya_sandbox::{Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::wire::support::parse;

/// The error of each driver at one place, as the same type.
async fn errors_of_both(url: &str) -> [Error; 2] {
    let url = parse(url);
    let session = Session::connect(&url, "session test").await.err().unwrap();
    let wire = WireConnection::connect(&url, &WireOptions::default()).await.err().unwrap();
    [session, wire.into()]
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_worth_another_try_of_both_drivers() {
    // Accepts by the backlog and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for error in errors_of_both(&format!("postgres://u@127.0.0.1:{port}/d?connect_timeout=1")).await {
        assert!(matches!(error, Error::Wire(WireError::ConnectTimeout { .. })), "{error:?}");
        assert_eq!(error.retry(), Retry::Reconnect);
        assert!(error.hint().unwrap().contains("connect_timeout"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_has_no_name_is_worth_another_try_of_both_drivers() {
    // Nothing listens on port 1 of loopback.
    for error in errors_of_both("postgres://u@127.0.0.1:1/d").await {
        assert!(matches!(error, Error::Wire(WireError::Connect { .. })), "{error:?}");
        assert_eq!(error.retry(), Retry::Reconnect);
    }
    // A label over 63 characters is no name, so nobody is asked for it.
    for error in errors_of_both(&format!("postgres://u@{}.invalid/d", "x".repeat(70))).await {
        assert!(matches!(error, Error::Wire(WireError::UnknownHost { .. })), "{error:?}");
        assert_eq!(error.retry(), Retry::Reconnect);
    }
}

#[tokio::test]
async fn a_server_that_lets_in_and_then_says_nothing_does_not_hold_a_session_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let length = socket.read_u32().await.unwrap();
        let mut startup = vec![0; usize::try_from(length - 4).unwrap()];
        socket.read_exact(&mut startup).await.unwrap();
        socket.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await.unwrap();
        let mut asked = Vec::new();
        socket.read_to_end(&mut asked).await.unwrap();
        asked
    });
    let url = parse(&format!("postgres://u@127.0.0.1:{port}/d?sslmode=disable&connect_timeout=5"));
    let error = Session::connect(&url, "session test").await.err().unwrap();
    assert!(matches!(error, Error::Wire(WireError::ConnectTimeout { .. })), "{error:?}");
    let asked = peer.await.unwrap();
    assert!(String::from_utf8_lossy(&asked).contains("server_version_num"), "it was let in and asked nothing");
}

#[tokio::test]
async fn no_limit_is_a_long_limit_for_both_drivers() {
    let server = Server::start(ServerOptions::new(18)).unwrap();
    let url = server.url("postgres");
    let url = parse(&format!("{url}{}connect_timeout=0", if url.contains('?') { '&' } else { '?' }));
    assert_eq!(Session::connect(&url, "session test").await.unwrap().major(), 18);
    WireConnection::connect(&url, &WireOptions::default()).await.unwrap();
}

#[tokio::test]
async fn sessions_for_control_have_limits_and_others_have_none() {
    let server = Server::start(ServerOptions::new(13)).unwrap();
    let url = parse(&server.url("postgres"));
    let limits = "SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout')";
    let session = Session::connect(&url, "session test").await.unwrap();
    assert_eq!(session.query_one(limits, &[]).await.unwrap().get::<_, String>(0), "0 0");
    let session = Session::connect_for_control(&url, "session test").await.unwrap();
    assert_eq!(session.query_one(limits, &[]).await.unwrap().get::<_, String>(0), "5min 1min");
}
