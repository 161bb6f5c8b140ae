//! Who is let in.

mod servers;
mod users;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Client, FakeServer, Login, Setup, gateway};

#[test]
fn nobody_learns_whether_a_user_exists() {
    let gateway = gateway();
    let mut wrong = gateway.login();
    wrong.password = "not it".to_owned();
    let mut unknown = gateway.login();
    unknown.user = "nobody".to_owned();
    let [wrong, unknown] = [wrong, unknown].map(|login| Client::try_login(&login).err().unwrap());
    assert_eq!(wrong.sqlstate, "28P01");
    assert_eq!(unknown.sqlstate, "28P01");
    assert_eq!(wrong.text.replace("\"app\"", "X"), unknown.text.replace("\"nobody\"", "X"));
}

#[test]
fn no_server_is_asked_who_somebody_is() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let door = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        None
    };
    let server = FakeServer::start_with_door(door, |_| None);
    let gateway = Setup::new(&server.url(), "fake", "fake").start();
    let right = gateway.login();
    let wrong = Login { password: "not it".to_owned(), ..right.clone() };
    let unknown = Login { user: "nobody".to_owned(), ..right.clone() };
    let nowhere = Login { database: "nothing".to_owned(), ..right.clone() };
    assert!([wrong, unknown, nowhere].iter().all(|login| Client::try_login(login).is_err()));
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    assert!(Client::try_login(&right).is_ok());
    assert!(connections.load(Ordering::SeqCst) > 0, "it is one that counts");
}

#[test]
fn a_database_that_is_none_is_told_to_who_has_proven_who_it_is_only() {
    let gateway = gateway();
    let mut login = gateway.login();
    login.database = "nothing".to_owned();
    assert_eq!(Client::try_login(&login).err().unwrap().sqlstate, "3D000");
    login.password = "not it".to_owned();
    assert_eq!(Client::try_login(&login).err().unwrap().sqlstate, "28P01");
}

#[test]
fn a_user_of_no_rights_and_the_password_in_any_other_form_are_refused() {
    let gateway = gateway();
    for (user, password) in
        [("app", ""), ("app", "A PASSWORD OF THE GATEWAY'S"), ("App", "a password of the gateway's"), ("app\"", "x")]
    {
        let mut login = gateway.login();
        login.user = user.to_owned();
        login.password = password.to_owned();
        assert_eq!(Client::try_login(&login).err().unwrap().sqlstate, "28P01", "{user}");
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
    assert_eq!(gateway.status().logins_refused, 4);
}

#[test]
fn messages_out_of_order_in_the_password_exchange_are_refused() {
    let gateway = gateway();
    for bytes in [
        crate::support::query("SELECT 1"),
        crate::support::message(b'p', b"a password of the gateway's\0"),
        crate::support::message(b'p', b"SCRAM-SHA-256\0\0\0\0\x04n,,x"),
        crate::support::message(b'p', b"SCRAM-SHA-256-PLUS\0\0\0\0\x04n,,x"),
        crate::support::message(b'p', &[b'x'; 20_000]),
        vec![b'p', 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut client = Client::open(gateway.port);
        client.send(&crate::support::startup(&[("user", "app"), ("database", "shop")]));
        client.until(b'R');
        let _sent = client.try_send(&bytes);
        let said = client.until_end();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(["08P01", "0A000", "54000"].contains(&said[0].sqlstate().as_str()), "{said:?}");
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn a_newer_protocol_is_agreed_down_and_gets_a_longer_key() {
    let gateway = gateway();
    let start = |minor: u8, more: &[u8]| {
        let mut client = Client::open(gateway.port);
        client.send(&crate::support::first(
            &[&[0, 3, 0, minor], &b"user\0app\0database\0shop\0"[..], more, b"\0"].concat(),
        ));
        let first = client.message();
        (client, first)
    };
    let (client, first) = start(2, b"");
    assert_eq!(first.tag, b'R');
    drop(client);
    let (client, first) = start(99, b"_pq_.odd\0x\0");
    assert_eq!(first.tag, b'v');
    assert!(String::from_utf8_lossy(&first.body).contains("_pq_.odd"));
    let client = client.prove(&gateway.login().password, None).unwrap();
    assert_eq!(client.secret.len(), 32);
    assert_eq!(gateway.client().secret.len(), 4);
}
