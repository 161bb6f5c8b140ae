//! Clients that do not read what they asked for.

use std::sync::atomic::{AtomicUsize, Ordering};

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Client, Setup, cancel_request, query, tags};

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
fn a_big_result_that_is_read_holds_up_nobody_of_the_same_worker() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).workers(1).start();
    let (mut reading, mut other) = (gateway.client(), gateway.client());
    let (process_id, secret) = (reading.process_id, reading.secret.clone());
    let rows = AtomicUsize::new(0);
    // More than ends by itself.
    reading.send(&query("SELECT repeat('x', 1000), generate_series(1, 1000000000)"));
    std::thread::scope(|scope| {
        let end = scope.spawn(|| {
            loop {
                let said = reading.message();
                match said.tag {
                    b'D' => rows.fetch_add(1, Ordering::Relaxed),
                    b'E' => break said.sqlstate(),
                    _ => continue,
                };
            }
        });
        for _ in 0..5 {
            let before = rows.load(Ordering::Relaxed);
            eventually("rows come", || rows.load(Ordering::Relaxed) > before);
            for _ in 0..50 {
                assert_eq!(other.tags(&query("SELECT 1")), "T D C ZI");
            }
        }
        assert!(!end.is_finished(), "it ended before the others were served");
        let mut request = Client::open(gateway.port);
        request.send(&cancel_request(process_id, &secret));
        assert_eq!(end.join().unwrap(), "57014");
    });
    assert_eq!(tags(&reading.until_ready()), "ZI");
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

#[test]
fn a_client_that_does_not_read_keeps_no_server_that_owes_it_nothing() {
    const STATEMENTS_MAX: u64 = 3000;
    const LOOKS: u64 = 50;
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).start();
    let (mut stalled, mut other) = (gateway.client(), gateway.client());
    socket2::SockRef::from(&stalled.writer()).set_recv_buffer_size(4096).unwrap();
    let before = gateway.status().queries;
    let (mut sent, mut runs) = (0, 0);
    // One at a time, each answered in one piece, until one is not taken any more; what each may have left is looked at.
    let is_taken = |sent: u64, runs: u64| gateway.status().queries == before + sent + runs;
    while is_taken(sent, runs) {
        assert!(sent < STATEMENTS_MAX, "the socket took everything");
        stalled.send(&query("SELECT set_config('a.b', 'x', false), repeat('x', 7000)"));
        sent += 1;
        for _ in 0..LOOKS {
            assert_eq!(other.run("SELECT 1"), "1");
            runs += 1;
            if is_taken(sent, runs) {
                break;
            }
        }
    }
    for _ in 0..sent {
        assert_eq!(tags(&stalled.until_ready()), "T D C ZI");
    }
}
