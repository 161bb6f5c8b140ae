//! What an administrator may say: lines of JSON of a bounded length. All else is refused, and ends nobody else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use atalaya_gateway::admin::{AdminSocket, Answer, Refused, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::serving::Serving;

const UNKNOWN: &str = "{\"answer\":\"refused\",\"reason\":\"unknown\"}\n";

/// A gateway with its socket, which is served as long as the test's runtime lives.
fn start(folder: &Path) -> (Serving, PathBuf) {
    let gateway = Serving::start("");
    let path = folder.join("gateway.sock");
    tokio::spawn(AdminSocket::open(&path).unwrap().serve(gateway.control()));
    (gateway, path)
}

/// All that is answered to these bytes.
async fn answers(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    // Who says too much may be cut off while still talking.
    let _cut_off = stream.write_all(bytes).await;
    let _cut_off = stream.shutdown().await;
    let mut answers = Vec::new();
    let _cut_off = stream.read_to_end(&mut answers).await;
    String::from_utf8(answers).unwrap()
}

#[tokio::test]
async fn a_line_that_is_no_request_is_refused_and_the_next_one_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (_gateway, path) = start(folder.path());
    for line in [
        &b"\n"[..],
        b"status\n",
        b"{}\n",
        b"{\"verb\":\"drop\"}\n",
        b"{\"verb\":\"resume\",\"database\":\"shop\",\"epoch\":null,\"to\":null,\"more\":1}\n",
        b"{\"verb\":\"pause\",\"database\":\"shop\",\"drain_limit_ms\":-1,\"hold_limit_ms\":1}\n",
        b"\xff\xfe\x00\n",
        &[b'['; 60_000],
    ] {
        let line = [line, b"\n"].concat();
        let said = answers(&path, &line).await;
        assert!(said.starts_with(UNKNOWN), "{}: {said}", String::from_utf8_lossy(&line[..line.len().min(80)]));
    }
    let resume = b"\xff\n{\"verb\":\"resume\",\"database\":\"shop\",\"epoch\":null,\"to\":null}\n";
    let not_paused = "{\"answer\":\"refused\",\"reason\":\"not_paused\"}\n";
    assert_eq!(answers(&path, resume).await, format!("{UNKNOWN}{not_paused}"));
}

#[tokio::test]
async fn a_line_that_is_too_long_ends_the_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let (_gateway, path) = start(folder.path());
    let mut long = vec![b' '; 100_000];
    long.extend_from_slice(b"{\"verb\":\"reload\"}\n");
    let said = answers(&path, &long).await;
    assert!(said.is_empty() || said == UNKNOWN, "{said}");
    assert!(matches!(
        AdminSocket::ask(&path, &Request::Status, Duration::from_secs(30)).await.unwrap(),
        Answer::Status(_)
    ));
}

#[tokio::test]
async fn the_same_is_answered_by_the_socket_as_by_the_control() {
    let folder = tempfile::tempdir().unwrap();
    let (_gateway, path) = start(folder.path());
    let request = Request::Pause { database: "nobody's".to_owned(), drain_limit_ms: 1, hold_limit_ms: 1 };
    let answer = AdminSocket::ask(&path, &request, Duration::from_secs(30)).await.unwrap();
    assert!(matches!(answer, Answer::Refused(Refused::NoDatabase { database }) if database == "nobody's"));
}
