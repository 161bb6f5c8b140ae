//! What waits, as Prometheus reads it: for a server, before a gate, and in vain.

use atalaya_sandbox::{eventually, free_port, fresh_database};

use super::http::get;
use super::parse::Samples;
use crate::support::{Gateway, Setup, query, tags};

/// A gateway with one server and metrics; where they are.
fn start(wait_seconds: u32) -> (Gateway, u16) {
    let (server, database) = fresh_database(18).unwrap();
    let port = free_port().unwrap();
    let setup = Setup::of(server, &database).wait_seconds(wait_seconds);
    (setup.gateway(&format!("metrics: 127.0.0.1:{port}")).start(), port)
}

fn read(gateway: &Gateway, port: u16) -> Samples {
    Samples::parse(&gateway.runtime().block_on(get(port, "/metrics")).body)
}

fn of_shop(name: &str) -> String {
    format!("atalaya_gateway_{name}{{database=\"shop\"}}")
}

fn waiting_for_server(samples: &Samples) -> f64 {
    samples.get("atalaya_gateway_clients_waiting{database=\"shop\",user=\"app\"}")
}

/// How often was waited, and for how long.
fn waits(samples: &Samples) -> (f64, f64) {
    (samples.get(&of_shop("wait_time_seconds_count")), samples.get(&of_shop("wait_time_seconds_sum")))
}

#[test]
fn a_wait_for_a_server_is_seen_and_measured() {
    let (gateway, port) = start(600);
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN");
    let before = read(&gateway, port);
    assert_eq!((waits(&before), waiting_for_server(&before)), ((0.0, 0.0), 0.0));
    second.send(&query("SELECT 1"));
    eventually("it waits", || waiting_for_server(&read(&gateway, port)) == 1.0);
    assert_eq!(read(&gateway, port).get(&of_shop("transactions_running")), 2.0);
    first.run("COMMIT");
    assert_eq!(tags(&second.until_ready()), "T D C ZI");
    let after = read(&gateway, port);
    let (count, sum) = waits(&after);
    assert!(count == 1.0 && sum > 0.0, "{count} waits of {sum} s");
    let buckets = after.buckets("atalaya_gateway_wait_time_seconds", "shop");
    assert!(buckets.iter().any(|(end, within)| end.is_finite() && *within == 0.0), "{buckets:?}");
    assert_eq!(waiting_for_server(&after), 0.0);
    assert_eq!(after.get(&of_shop("requests_refused_total")), 0.0);
}

#[test]
fn a_pause_is_seen_with_its_length_and_those_whom_it_holds() {
    let (gateway, port) = start(600);
    let mut clients = [(); 3].map(|()| gateway.client());
    let numbers = |samples: &Samples| {
        ["paused", "paused_seconds", "clients_held", "transactions_running"].map(|name| samples.get(&of_shop(name)))
    };
    assert_eq!(numbers(&read(&gateway, port)), [0.0; 4]);
    let epoch = gateway.pause();
    for client in &mut clients {
        client.send(&query("SELECT 1"));
    }
    eventually("three are held", || read(&gateway, port).get(&of_shop("clients_held")) == 3.0);
    let [paused, earlier, _, running] = numbers(&read(&gateway, port));
    assert!(paused == 1.0 && earlier > 0.0 && running == 0.0, "{paused} {earlier} {running}");
    let [_, later, ..] = numbers(&read(&gateway, port));
    assert!(later > earlier, "{earlier}, then {later}");
    assert_eq!(waits(&read(&gateway, port)).0, 0.0);
    gateway.resume(epoch);
    for client in &mut clients {
        assert_eq!(tags(&client.until_ready()), "T D C ZI");
    }
    eventually("all is over", || numbers(&read(&gateway, port)) == [0.0; 4]);
    let (count, sum) = waits(&read(&gateway, port));
    // Behind the gate some waited for the one server, too.
    assert!((3.0..=6.0).contains(&count) && sum > 0.0, "{count} waits of {sum} s");
}

#[test]
fn who_waited_in_vain_is_counted_whatever_it_waited_for() {
    let (gateway, port) = start(1);
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let refused = |gateway: &Gateway| read(gateway, port).get(&of_shop("requests_refused_total"));
    first.run("BEGIN");
    assert_eq!(tags(&second.ask(&query("SELECT 1"))), "E53300 ZI");
    assert_eq!(refused(&gateway), 1.0);
    first.run("COMMIT");
    let epoch = gateway.pause();
    assert_eq!(tags(&second.ask(&query("SELECT 1"))), "E57P03 ZI");
    assert_eq!(refused(&gateway), 2.0);
    gateway.resume(epoch);
    assert_eq!(tags(&second.ask(&query("SELECT 1"))), "T D C ZI");
    let samples = read(&gateway, port);
    let (count, sum) = waits(&samples);
    assert!(count == 2.0 && sum > 1.9, "{count} waits of {sum} s");
    assert_eq!(samples.get(&of_shop("requests_refused_total")), 2.0);
}
