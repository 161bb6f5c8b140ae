//! What the wire tests share: servers, connections, and a proxy that hangs up.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::wire::{WireConnection, WireOptions};
use atalaya_sandbox::{Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn start(major: u16) -> Server {
    Server::start(ServerOptions::new(major)).unwrap()
}

pub(crate) fn parse(url: &str) -> ConnectionUrl {
    ConnectionUrl::parse(url).unwrap()
}

pub(crate) async fn connect(server: &Server) -> WireConnection {
    WireConnection::connect(&parse(&server.url("postgres")), &options()).await.unwrap()
}

pub(crate) fn options() -> WireOptions {
    WireOptions { application_name: "wire test".to_owned(), ..WireOptions::default() }
}

/// The one value of a query.
pub(crate) async fn value(connection: &mut WireConnection, sql: &str) -> String {
    connection.simple_query(sql).await.unwrap().remove(0).rows.remove(0).remove(0).unwrap()
}

/// Forwards one connection to the server and closes it in good order once the server has sent `limit` bytes.
/// Returns the URL to reach it by.
pub(crate) async fn proxy_that_hangs_up(server: &Server, limit: u64) -> ConnectionUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server_port = server.port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut upstream = TcpStream::connect(("127.0.0.1", server_port)).await.unwrap();
        let (mut from_client, mut to_client) = client.split();
        let (from_server, mut to_server) = upstream.split();
        let mut from_server = from_server.take(limit);
        tokio::select! {
            _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
            _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        }
        let _ = client.shutdown().await;
    });
    parse(&server.url("postgres").replace(&format!(":{server_port}/"), &format!(":{port}/")))
}
