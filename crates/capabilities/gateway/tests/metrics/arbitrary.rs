//! Requests for metrics, arbitrary and damaged.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use atalaya_damage::{damaged, pieces};
use atalaya_sandbox::free_port;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Setup, for_each, obedient_server};

const GOOD: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: metrics\r\nAccept: text/plain\r\n\r\n";

/// All that is answered to these bytes.
fn answered(port: u16, bytes: &[u8], cuts: &[Index]) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for piece in pieces(bytes, cuts) {
        let _sent = stream.write_all(piece);
    }
    // Whoever closes at once may not be answered; and who has asked half of something would be waited for.
    if !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let _closed = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    // Who is answered before all was read may find the connection reset.
    let ended = stream.read_to_end(&mut answer).map_err(|error| error.kind());
    assert_ne!(ended.err(), Some(std::io::ErrorKind::WouldBlock), "no end came");
    String::from_utf8(answer).unwrap()
}

#[test]
fn damaged_requests_get_the_metrics_or_an_error_of_http_or_nothing() {
    let server = obedient_server();
    let port = free_port().unwrap();
    let setup = Setup::new(&server.url(), "fake", "fake").workers(1).gateway(&format!("metrics: 127.0.0.1:{port}"));
    let gateway = setup.start();
    let more: &[u8] = b"POST /metrics HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
    let inputs = (prop_oneof![any::<Vec<u8>>().boxed(), damaged([GOOD, more]).boxed()], vec(any::<Index>(), 0..4));
    for_each(96, inputs, |(bytes, cuts)| {
        let answer = answered(port, &bytes, &cuts);
        let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).unwrap_or_default();
        let is_known = answer.is_empty() || ["200", "400", "404", "405", "414", "431", "505"].contains(&status);
        prop_assert!(is_known, "{}", answer);
        prop_assert!(!gateway.has_panicked());
        Ok(())
    });
    assert!(answered(port, GOOD, &[]).starts_with("HTTP/1.1 200"));
}
