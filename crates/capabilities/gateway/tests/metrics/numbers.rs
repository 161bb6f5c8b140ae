//! The numbers are those of what happened.

use atalaya_sandbox::free_port;

use super::http::get;
use super::parse::Samples;
use crate::serving::Serving;

async fn read(port: u16) -> Samples {
    let response = get(port, "/metrics").await;
    assert_eq!(response.status, 200);
    assert!(response.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", response.head);
    Samples::parse(&response.body)
}

fn of_shop(name: &str) -> String {
    format!("atalaya_gateway_{name}{{database=\"shop\"}}")
}

fn of_app(name: &str) -> String {
    format!("atalaya_gateway_{name}{{database=\"shop\",user=\"app\"}}")
}

#[tokio::test]
async fn counters_move_with_each_query() {
    let port = free_port().unwrap();
    let gateway = Serving::start(&format!("  metrics: 127.0.0.1:{port}\n"));
    let before = read(port).await;
    assert_eq!(before.get(&of_shop("logins_total")), 0.0);
    assert!(!before.has(&of_app("servers_max")), "nobody has logged in yet");

    let mut client = gateway.client().await;
    client.simple_query("SELECT 1").await.unwrap();
    client.simple_query("SELECT 'a value that nobody may read'; SELECT 2").await.unwrap();
    let after = read(port).await;
    for (name, more) in [("logins_total", 1.0), ("transactions_total", 2.0), ("queries_total", 2.0)] {
        assert_eq!(after.get(&of_shop(name)) - before.get(&of_shop(name)), more, "{name}");
    }
    assert!(after.get(&of_shop("from_clients_bytes_total")) > 50.0);
    assert!(after.get(&of_shop("to_clients_bytes_total")) > 50.0);
    assert_eq!(after.get(&of_shop("clients")), 1.0);
    assert_eq!(after.get("atalaya_gateway_clients_connected"), 1.0);
    assert_eq!(after.get("atalaya_gateway_clients_max"), 10_000.0);
    assert_eq!(after.get(&of_app("servers_max")), 20.0);
    assert_eq!((after.get(&of_app("servers_idle")), after.get(&of_app("servers_used"))), (1.0, 0.0));

    client.simple_query("CREATE TEMPORARY TABLE own (id int)").await.unwrap();
    // Begins once it is known what the one before has left.
    client.simple_query("SELECT 1").await.unwrap();
    let pinned = read(port).await;
    assert_eq!(pinned.get(&of_shop("pins_total")), 1.0);
    assert_eq!(pinned.get(&of_shop("clients_keeping_server")), 1.0);
    assert_eq!(pinned.get(&of_app("servers_used")), 1.0);
}

#[tokio::test]
async fn histograms_are_cumulative_and_end_in_their_count() {
    let port = free_port().unwrap();
    let gateway = Serving::start(&format!("  metrics: 127.0.0.1:{port}\n"));
    let mut client = gateway.client().await;
    for _ in 0..5 {
        client.simple_query("SELECT 1").await.unwrap();
    }
    let samples = read(port).await;
    assert_eq!(samples.names_of("histogram").len(), 2);
    for name in samples.names_of("histogram") {
        let buckets = samples.buckets(name, "shop");
        assert!(buckets.len() > 20, "{name}");
        assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{name}: {buckets:?}");
        let (end, all) = *buckets.last().unwrap();
        assert_eq!((end, all), (f64::INFINITY, samples.get(&format!("{name}_count{{database=\"shop\"}}"))), "{name}");
    }
    assert_eq!(samples.get(&of_shop("transaction_time_seconds_count")), 5.0);
    assert!(samples.get(&of_shop("transaction_time_seconds_sum")) > 0.0);
}

#[tokio::test]
async fn no_statement_and_no_value_is_told() {
    let port = free_port().unwrap();
    let gateway = Serving::start(&format!("  metrics: 127.0.0.1:{port}\n"));
    let mut client = gateway.client().await;
    client.simple_query("SELECT 'a value that nobody may read' AS name_of_a_column").await.unwrap();
    let text = get(port, "/metrics").await.body;
    for secret in ["nobody may read", "name_of_a_column", "127.0.0.1", "SELECT"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
