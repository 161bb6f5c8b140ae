//! One side that does not go on: how much the gateway takes from the other one, which is all that it could hold.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use atalaya_sandbox::{Proxy, eventually, fresh_database};

use crate::support::{Client, Setup, copy_data, query, tags};

/// What both sockets of a connection hold at most, with room to spare, and what the gateway may hold beside it.
const HELD_BYTES_MAX: u64 = 48 << 20;
/// What is there to be sent: several times as much.
const SENT_BYTES_MAX: usize = 400 << 20;
/// A socket that takes nothing while another client is served so often takes nothing any more.
const TURNS: usize = 200;

/// Sends a message again and again until it is not taken any more; how many bytes were. `other` shows that the gateway goes on
/// meanwhile.
fn flood(mut socket: TcpStream, message: &[u8], other: &mut Client) -> usize {
    socket.set_nonblocking(true).unwrap();
    let (mut sent, mut refused) = (0, 0);
    while refused < TURNS {
        assert!(sent < SENT_BYTES_MAX, "everything was taken");
        match socket.write(&message[sent % message.len()..]) {
            Ok(length) => (sent, refused) = (sent + length, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refused += 1;
                assert_eq!(other.tags(&query("SELECT 1")), "T D C ZI");
            }
            Err(error) => panic!("{error}"),
        }
    }
    socket.set_nonblocking(false).unwrap();
    sent
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn of_a_client_that_sends_without_reading_only_so_much_is_taken() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).workers(1).start();
    let (mut flooding, mut other) = (gateway.client(), gateway.client());
    other.run("SELECT 1");
    let before = gateway.status();
    let large = query(&format!("SELECT repeat('x', 100000), '{}'", "y".repeat(10_000)));
    let sent = flood(flooding.writer(), &large, &mut other);
    let after = gateway.status();
    let taken = after.bytes_from_clients - before.bytes_from_clients;
    assert!(taken < HELD_BYTES_MAX, "{taken} bytes were taken of {sent}");
    let answered = after.bytes_to_clients - before.bytes_to_clients;
    assert!(answered < HELD_BYTES_MAX, "{answered} bytes were answered");
    // What was begun is ended, and answered in order.
    let rest = (large.len() - sent % large.len()) % large.len();
    let mut writer = flooding.writer();
    let end = large[large.len() - rest..].to_vec();
    let ended = std::thread::spawn(move || writer.write_all(&end).unwrap());
    for _ in 0..sent.div_ceil(large.len()) {
        assert_eq!(tags(&flooding.until_ready()), "T D C ZI");
    }
    ended.join().unwrap();
}

#[test]
fn of_a_copy_into_a_server_that_stands_still_only_so_much_is_taken_and_its_end_is_told() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let role = server.superuser();
    let setup = Setup::new(&proxy.url(&server.url(&database)), role.name(), role.password());
    let gateway = setup.servers_max(2).workers(1).start();
    let (mut copying, mut other) = (gateway.client(), gateway.client());
    copying.run("CREATE TABLE t (x text)");
    copying.send(&query("COPY t FROM STDIN"));
    copying.until(b'G');
    proxy.freeze();
    eventually("another server serves", || tags(&other.ask(&query("SELECT 1"))) == "T D C ZI");
    let (bytes, memory) = (gateway.status().bytes_from_clients, resident());
    let piece = copy_data(format!("{}\n", "x".repeat(8000)).repeat(8).as_bytes());
    let sent = flood(copying.writer(), &piece, &mut other);
    let taken = gateway.status().bytes_from_clients - bytes;
    assert!(taken < HELD_BYTES_MAX, "{taken} bytes were taken of {sent}");
    // Other tests hold memory of this process meanwhile; what was there to be sent is more.
    let more = resident().saturating_sub(memory);
    assert!(more < SENT_BYTES_MAX as u64, "{} MiB more", more >> 20);
    proxy.reset_frozen();
    assert_eq!(tags(&copying.until_end()), "E08007");
    assert_eq!(other.run("SELECT count(*) FROM t"), "0");
    eventually("nothing runs", || gateway.status().gate.running == 0);
}
