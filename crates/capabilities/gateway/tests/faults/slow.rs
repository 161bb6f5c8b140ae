//! Clients that do not read what they asked for.

use atalaya_sandbox::fresh_database;

use crate::support::{Setup, query, tags};

#[test]
fn a_client_that_does_not_read_holds_up_nobody_and_fills_no_memory() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).start();
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let mut stalled = gateway.client();
    let before = resident();
    stalled.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 300000)"));
    stalled.until(b'D');
    let mut other = gateway.client();
    for _ in 0..200 {
        assert_eq!(other.tags(&query("SELECT 1")), "T D C ZI");
    }
    assert!(resident() < before + (150 << 20), "{} MiB more", (resident() - before) >> 20);
    let rows = stalled.until_ready().iter().filter(|said| said.tag == b'D').count();
    assert_eq!(rows, 299_999);
}

#[test]
fn a_client_that_sends_without_reading_fills_no_memory() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).start();
    let (mut flooding, mut other) = (gateway.client(), gateway.client());
    let request = query("SELECT repeat('x', 100000)");
    let mut writer = flooding.writer();
    let sent = std::thread::spawn(move || {
        for _ in 0..500 {
            std::io::Write::write_all(&mut writer, &request).unwrap();
        }
    });
    for _ in 0..50 {
        assert_eq!(other.tags(&query("SELECT 1")), "T D C ZI");
    }
    for _ in 0..500 {
        assert_eq!(tags(&flooding.until_ready()), "T D C ZI");
    }
    sent.join().unwrap();
}

#[test]
fn a_row_of_100_megabytes_passes() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).start();
    let mut client = gateway.client();
    let said = client.ask(&query("SELECT repeat('x', 100000000)"));
    assert_eq!(said[1].body.len(), 100_000_006);
}
