//! Just enough of HTTP to ask, and to ask badly.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends these bytes and reads until the other side ends; `None` when it does so without a word.
pub(crate) async fn exchange(port: u16, bytes: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // Who says too much may be cut off while still talking.
    let _cut_off = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _cut_off = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Response { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// GET of a path.
pub(crate) async fn get(port: u16, path: &str) -> Response {
    exchange(port, format!("GET {path} HTTP/1.1\r\nHost: metrics\r\n\r\n").as_bytes()).await.unwrap()
}
