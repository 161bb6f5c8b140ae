//! First packets.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Client, Setup, cancel_request, first, gateway, gss_request, query, ssl_request, startup, tags};

/// What is said to a first packet, up to the end of the connection.
fn said(port: u16, bytes: &[u8]) -> String {
    let mut client = Client::open(port);
    // The gateway may hang up before all was sent.
    let _sent = client.try_send(bytes);
    tags(&client.until_end())
}

#[test]
fn packets_of_an_impossible_length_are_refused() {
    let gateway = gateway();
    for length in [0_u32, 1, 3, 4, 7, 10_005, 1 << 20, 0x7fff_ffff, u32::MAX] {
        let got = said(gateway.port, &[&length.to_be_bytes()[..], &[0, 3, 0, 0, 0]].concat());
        assert_eq!(got, "E08P01", "{length}");
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn a_packet_of_ten_thousand_parameters_is_refused() {
    let gateway = gateway();
    let mut other = gateway.client();
    let names: Vec<String> = (0..10_000).map(|number| format!("a.{number}")).collect();
    let parameters: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let all = startup(&[&[("user", "app"), ("database", "shop")][..], &parameters].concat());
    assert_eq!(said(gateway.port, &all), "E08P01");
    let few: Vec<(&str, &str)> = parameters[..900].to_vec();
    let packet = startup(&[&[("user", "app"), ("database", "shop")][..], &few].concat());
    assert!(packet.len() <= 10_000);
    assert_eq!(said(gateway.port, &packet), "E54000");
    assert_eq!(other.run("SELECT 1"), "1");
}

#[test]
fn packets_that_are_no_startup_are_refused() {
    let gateway = gateway();
    for body in [
        &[0, 3, 0, 0][..],
        b"\0\x03\0\0user\0",
        b"\0\x03\0\0user\0app",
        b"\0\x03\0\0user\0app\0database",
        b"\0\x03\0\0database\0shop\0\0",
        b"\0\x03\0\0user\0\0\0",
        b"\0\x02\0\0user\0app\0\0",
        b"\0\x04\0\0user\0app\0\0",
        b"\0\x03\0\0user\0app\0\0garbage behind",
        b"\x12\x34\x56\x78user\0app\0\0",
    ] {
        let got = said(gateway.port, &first(body));
        assert!(got.starts_with('E'), "{body:?}: {got}");
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn a_start_cut_off_anywhere_ends_quietly() {
    let gateway = gateway();
    let whole = startup(&[("user", "app"), ("database", "shop")]);
    for length in 0..whole.len() {
        let mut client = Client::open(gateway.port);
        client.send(&whole[..length]);
        client.writer().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.until_end(), [], "{length}");
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

/// All at once, since each is given half a minute.
#[test]
fn a_start_that_never_comes_or_never_ends_is_given_up_and_who_could_understand_it_is_told() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).gateway("clients_max: 2").start();
    let whole = startup(&[("user", "app"), ("database", "shop")]);
    let begun = |bytes: &[u8]| {
        let mut client = Client::open(gateway.port);
        client.writer().set_read_timeout(Some(Duration::from_secs(180))).unwrap();
        client.send(bytes);
        client
    };
    let [mut silent, mut within_length, mut within, mut declined, mut proving] =
        [&[][..], &whole[..3], &whole[..20], &ssl_request(), &whole].map(begun);
    assert_eq!(declined.bytes(1), b"N");
    proving.until(b'R');
    // The one who proves itself has a seat, and this one the other.
    assert_eq!(gateway.client().run("SELECT 1"), "1");
    for client in [&mut silent, &mut within_length, &mut within, &mut declined] {
        assert_eq!(client.until_end(), [], "who is no client yet would not understand an error");
    }
    assert_eq!(tags(&proving.until_end()), "E08P01");
    let both = [gateway.client(), gateway.client()];
    assert_eq!(both.len(), 2, "its seat is free again");
}

#[test]
fn a_start_in_single_bytes_is_read() {
    let gateway = gateway();
    let mut client = Client::open(gateway.port);
    for byte in startup(&[("user", "app"), ("database", "shop")]) {
        client.send(&[byte]);
    }
    let mut client = client.prove(&gateway.login().password, None).unwrap();
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn encryption_by_gss_is_declined_without_an_error() {
    let gateway = gateway();
    let mut client = Client::open(gateway.port);
    client.send(&gss_request());
    assert_eq!(client.bytes(1), b"N");
    client.send(&ssl_request());
    assert_eq!(client.bytes(1), b"N");
    let mut client = client.log_in(&gateway.login(), None).unwrap();
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn encryption_is_asked_for_once() {
    let gateway = gateway();
    for request in [ssl_request(), gss_request()] {
        let mut client = Client::open(gateway.port);
        client.send(&request);
        assert_eq!(client.bytes(1), b"N");
        client.send(&request);
        assert_eq!(tags(&client.until_end()), "E08P01");
    }
}

#[test]
fn what_is_sent_right_behind_a_request_for_encryption_is_not_read() {
    let gateway = gateway();
    let mut client = Client::open(gateway.port);
    client.send(&[ssl_request(), startup(&[("user", "app"), ("database", "shop")])].concat());
    let said = client.until_end();
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn replication_is_refused_by_name() {
    let gateway = gateway();
    for value in ["database", "true", "on", "1", "yes", "t"] {
        let refused = Client::try_login(&gateway.login().with("replication", value)).err().unwrap();
        assert_eq!(refused.sqlstate, "0A000", "{value}");
        assert!(refused.text.contains("replication"), "{}", refused.text);
    }
    assert_eq!(Client::login(&gateway.login().with("replication", "off")).run("SELECT 1"), "1");
}

#[test]
fn somebody_of_another_protocol_is_sent_away() {
    let gateway = gateway();
    for bytes in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"SSH-2.0-x\r\n", &[0xff; 64], &[0x16, 3, 1, 2, 0, 1]] {
        let got = said(gateway.port, bytes);
        assert!(got.is_empty() || got == "E08P01", "{got}");
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

/// A connection takes its seat when it says what it wants; before that, it stands at the door.
#[test]
fn as_many_as_may_be_seated_stand_at_the_door_and_cancel_requests_come_through() {
    const AT_DOOR: usize = 16;
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).gateway("clients_max: 1").start();
    let mut client = gateway.client();
    let silent: Vec<TcpStream> = (0..AT_DOOR + 3)
        .map(|_| {
            let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .collect();
    let turned_away = || silent.iter().filter(|socket| matches!((&mut &**socket).read(&mut [0]), Ok(0))).count();
    eventually("three are turned away", || turned_away() == 3);
    drop(silent);
    client.send(&query("SELECT pg_sleep(600)"));
    eventually("it is cancelled", || {
        let mut request = Client::open(gateway.port);
        request.send(&cancel_request(client.process_id, &client.secret));
        request.until_end();
        gateway.status().gate.running == 0
    });
    assert_eq!(tags(&client.until_ready()), "T E57014 ZI");
    let refused = Client::try_login(&gateway.login()).err().unwrap();
    assert_eq!(refused.sqlstate, "53300");
}
