//! Messages cut and glued in every way.

use atalaya_sandbox::fresh_database;

use crate::support::{
    Setup, bind, close_statement, copy_data, copy_done, describe_portal, describe_statement, execute, flush, gateway,
    message, parse, query, sync, tags, terminate,
};

#[test]
fn every_message_may_come_in_two_parts_cut_anywhere() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).workers(1).servers_max(2).start();
    let mut client = gateway.client();
    let mut other = gateway.client();
    client.run("CREATE TABLE t (x int)");
    let all = [
        query("SELECT 'one'"),
        parse("s", "SELECT $1::text"),
        describe_statement("s"),
        bind("p", "s", &["value"]),
        describe_portal("p"),
        execute("p", 0),
        close_statement("s"),
        flush(),
        sync(),
        query("COPY t FROM STDIN"),
        copy_data(b"1\n"),
        copy_done(),
    ]
    .concat();
    for cut in 1..all.len() {
        client.send(&all[..cut]);
        // The only worker has been round with the first part by the time the second one comes.
        for _ in 0..2 {
            assert_eq!(other.tags(&query("SELECT 1")), "T D C ZI");
        }
        client.send(&all[cut..]);
        let mut got = Vec::new();
        for _ in 0..3 {
            got.push(tags(&client.until_ready()));
        }
        assert_eq!(got, ["T D C ZI", "1 t T 2 T D C 3 ZI", "G C ZI"], "cut at {cut}");
    }
    assert_eq!(other.run("SELECT count(*) FROM t"), (all.len() - 1).to_string());
}

#[test]
fn single_bytes_make_messages() {
    let gateway = gateway();
    let mut client = gateway.client();
    for byte in [parse("", "SELECT 'one'"), bind("", "", &[]), execute("", 0), sync(), query("SELECT 2")].concat() {
        client.send(&[byte]);
    }
    assert_eq!(tags(&client.until_ready()), "1 2 D C ZI");
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
}

#[test]
fn statements_glued_to_each_other_are_answered_one_by_one() {
    let gateway = gateway();
    let mut client = gateway.client();
    let all: Vec<u8> = (0..200).flat_map(|number| query(&format!("SELECT {number}"))).collect();
    client.send(&all);
    for number in 0..200 {
        assert_eq!(client.until_ready()[1].row(), [Some(number.to_string())]);
    }
}

#[test]
fn a_length_that_no_message_has_ends_the_session_and_no_other() {
    let gateway = gateway();
    let mut other = gateway.client();
    for tag in [b'Q', b'P', b'B', b'E', b'S', b'd', b'X', b'z'] {
        for length in [0_u32, 1, 3, 0x4000_0001, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut client = gateway.client();
            client.send(&[&[tag][..], &length.to_be_bytes(), b"rest"].concat());
            let got = tags(&client.until_end());
            assert!(got == "E08P01" || got == "E54000", "{} {length}: {got}", char::from(tag));
            assert_eq!(other.run("SELECT 1"), "1");
        }
    }
}

#[test]
fn a_message_that_claims_a_gigabyte_takes_no_memory_before_it_is_there() {
    let gateway = gateway();
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let before = resident();
    let mut clients = Vec::new();
    for tag in [b'Q', b'P', b'B', b'd'] {
        let mut client = gateway.client();
        client.send(&[&[tag][..], &0x3fff_ffff_u32.to_be_bytes(), b"some\0"].concat());
        clients.push(client);
    }
    let mut other = gateway.client();
    other.try_send(&query("SELECT 1")).unwrap();
    assert!(resident() < before + (200 << 20));
    drop(clients);
    assert_eq!(tags(&other.until_ready()), "T D C ZI");
}

#[test]
fn tags_that_no_client_may_send_end_the_session_with_a_reason() {
    let gateway = gateway();
    let mut other = gateway.client();
    for tag in (0..=255).filter(|tag| !b"QPBDECSHXFdcfp".contains(tag)) {
        let mut client = gateway.client();
        client.send_message(tag, b"");
        let said = client.until_end();
        assert_eq!(tags(&said), "E08P01", "{tag}");
        assert_eq!(said[0].field(b'V').as_deref(), Some("FATAL"));
    }
    assert_eq!(other.run("SELECT 1"), "1");
}

#[test]
fn what_comes_before_a_goodbye_is_done() {
    let gateway = gateway();
    let mut other = gateway.client();
    other.run("CREATE TABLE t (x int)");
    let mut client = gateway.client();
    client.send(&[query("INSERT INTO t SELECT 1 FROM pg_sleep(0.2)"), terminate()].concat());
    client.until_end();
    atalaya_sandbox::eventually("it is done", || other.run("SELECT count(*) FROM t") == "1");
}

#[test]
fn what_comes_behind_a_goodbye_is_not_run() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("CREATE TABLE t (x int)");
    client.send(&[terminate(), query("INSERT INTO t VALUES (1)")].concat());
    assert_eq!(client.until_end(), []);
    assert_eq!(gateway.client().run("SELECT count(*) FROM t"), "0");
}

#[test]
fn bodies_that_do_not_fit_their_tag_end_the_session_or_the_statement() {
    let gateway = gateway();
    let mut other = gateway.client();
    for bytes in [
        message(b'Q', b""),
        message(b'Q', b"SELECT 1"),
        message(b'Q', b"SELECT 1\0SELECT 2\0"),
        message(b'P', b"s"),
        message(b'P', b"s\0SELECT 1"),
        message(b'P', b"s\0SELECT 1\0\0"),
        message(b'P', b"s\0SELECT 1\0\0\x05\0\0"),
        message(b'B', b"p"),
        message(b'B', b"p\0s"),
        message(b'D', b""),
        message(b'D', b"Xname\0"),
        message(b'D', b"Sname"),
        message(b'C', b"X\0"),
        message(b'E', b""),
        message(b'B', b"p\0s\0\xff\xff\0\0"),
    ] {
        let mut client = gateway.client();
        client.send(&[bytes.clone(), sync()].concat());
        let said = client.until(b'E');
        assert!(!said.last().unwrap().sqlstate().is_empty(), "{bytes:?}");
        drop(client);
        assert_eq!(other.run("SELECT 1"), "1", "{bytes:?}");
    }
}

#[test]
fn a_name_without_an_end_is_refused_before_it_takes_memory() {
    let gateway = gateway();
    let mut client = gateway.client();
    let head = [&[b'B'][..], &0x3fff_ffff_u32.to_be_bytes()].concat();
    client.send(&head);
    let name = vec![b'n'; 64 << 10];
    while client.try_send(&name).is_ok() {}
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}
