//! What is served besides the one path: nothing, within bounds.

use atalaya_gateway::{GatewayError, Start};
use atalaya_sandbox::free_port;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::http::{exchange, get};
use crate::serving::Serving;

fn start() -> (Serving, u16) {
    let port = free_port().unwrap();
    (Serving::start(&format!("  metrics: 127.0.0.1:{port}\n")), port)
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let (_gateway, port) = start();
    for path in ["/", "/metrics/", "/metric", "/metrics.txt", "/..//metrics"] {
        assert_eq!(get(port, path).await.status, 404, "{path}");
    }
    assert_eq!(get(port, "/metrics?name=value").await.status, 200);
    for method in ["POST", "HEAD", "PUT", "OPTIONS"] {
        let request = format!("{method} /metrics HTTP/1.1\r\nHost: metrics\r\nContent-Length: 0\r\n\r\n");
        let response = exchange(port, request.as_bytes()).await.unwrap();
        assert_eq!(response.status, 405, "{method}");
        assert!(response.head.contains("allow: get"), "{}", response.head);
    }
}

#[tokio::test]
async fn a_connection_serves_one_request() {
    let (_gateway, port) = start();
    let twice = "GET /metrics HTTP/1.1\r\nHost: metrics\r\n\r\n".repeat(2);
    let response = exchange(port, twice.as_bytes()).await.unwrap();
    assert_eq!(response.status, 200);
    assert!(!response.body.contains("HTTP/1.1"), "a second answer came");
}

#[tokio::test]
async fn what_is_too_long_or_no_http_gets_no_metrics() {
    let (_gateway, port) = start();
    let long = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    for bytes in [long.as_bytes(), many.as_bytes(), b"\x16\x03\x01\x02\x00\x01", &[0; 100_000], b"\r\n\r\n\r\n\r\nx"] {
        if let Some(response) = exchange(port, bytes).await {
            assert!((400..500).contains(&response.status), "{}", response.head);
        }
    }
    assert_eq!(get(port, "/metrics").await.status, 200);
}

#[tokio::test]
async fn those_who_say_nothing_do_not_keep_others_out() {
    let (_gateway, port) = start();
    let mut silent = Vec::new();
    for _ in 0..24 {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    // Answered once the first of the silent ones have had their time.
    assert_eq!(get(port, "/metrics").await.status, 200);
    let mut byte = [0];
    assert_eq!(silent[0].read(&mut byte).await.unwrap_or_default(), 0, "the first one is gone");
}

#[tokio::test]
async fn a_successor_serves_the_metrics_once_the_former_has_ended() {
    let (former, port) = start();
    let mut client = former.client().await;
    client.simple_query("SELECT 1").await.unwrap();
    assert!(matches!(former.another(Start::Alone), Err(GatewayError::Listen { .. })), "two served the same addresses");
    let _successor = former.another(Start::Replacing).unwrap();
    drop(former);
    for _ in 0..8 {
        let response = get(port, "/metrics").await;
        assert!(response.body.contains("atalaya_gateway_logins_total{database=\"shop\"} 0\n"), "{}", response.body);
    }
}
