//! Servers that do not keep to the protocol: their client is told, and no other meets what they said.

use crate::support::{Client, FakeServer, Gateway, Setup, fake_message, query, tags};

/// A gateway before a server that answers one statement badly and every other one well.
fn before(answer: impl Fn() -> Option<Vec<u8>> + Send + Sync + 'static) -> (FakeServer, Gateway) {
    let server = FakeServer::start(move |sql| match sql {
        "SELECT bad" => answer(),
        _ => Some(good()),
    });
    let gateway = Setup::new(&server.url(), "fake", "fake").servers_max(1).start();
    (server, gateway)
}

fn row(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    fake_message(b'D', &[&[0, 1], &length[..], text].concat())
}

fn ready() -> Vec<u8> {
    fake_message(b'Z', b"I")
}

fn good() -> Vec<u8> {
    let columns = [&[0, 1][..], b"x\0", &[0; 18]].concat();
    [fake_message(b'T', &columns), row(b"good"), fake_message(b'C', b"SELECT 1\0"), ready()].concat()
}

/// Says the bad thing, and then has another client served. Returns what the first one was told.
#[track_caller]
fn met(answer: impl Fn() -> Option<Vec<u8>> + Send + Sync + 'static) -> String {
    let (_server, gateway) = before(answer);
    let (mut first, mut second) = (gateway.client(), gateway.client());
    assert_eq!(second.tags(&query("SELECT fine")), "T D C ZI");
    first.send(&query("SELECT bad"));
    let mut said = Vec::new();
    while let Some(message) = first.try_message() {
        let is_over = message.tag == b'Z';
        said.push(message);
        if is_over {
            break;
        }
    }
    assert_eq!(second.tags(&query("SELECT fine")), "T D C ZI");
    assert_eq!(gateway.client().tags(&query("SELECT fine")), "T D C ZI");
    tags(&said)
}

#[test]
fn an_error_without_a_code_is_passed_on() {
    assert_eq!(met(|| Some([fake_message(b'E', b"SERROR\0Mno code\0\0"), ready()].concat())), "E ZI");
    assert_eq!(met(|| Some([fake_message(b'E', b"\0"), ready()].concat())), "E ZI");
    assert_eq!(met(|| Some([fake_message(b'E', b""), ready()].concat())), "E ZI");
}

#[test]
fn messages_of_no_known_type_end_the_session() {
    for tag in [b'x', b'R', b'K', b'W', b'v', 0, 255, b'1', b'2', b'3', b't', b'V'] {
        let got = met(move || Some([fake_message(tag, b"odd"), ready()].concat()));
        assert!(got.starts_with("E08007") || got == "W ZI", "{}: {got}", char::from(tag));
    }
}

#[test]
fn an_answer_that_is_cut_off_ends_the_session() {
    for length in 0..good().len() {
        let (_server, gateway) = {
            let cut = move |sql: &str| match sql {
                "SELECT bad" => Some([&good()[..length], &[][..]].concat()),
                "SELECT gone" => None,
                _ => Some(good()),
            };
            let server = FakeServer::start(cut);
            let gateway = Setup::new(&server.url(), "fake", "fake").servers_max(1).start();
            (server, gateway)
        };
        let mut first = gateway.client();
        first.send(&query("SELECT bad"));
        // Behind a half answer the next request ends the server's connection.
        first.send(&query("SELECT gone"));
        let said = first.until_end();
        assert_eq!(said.last().map(crate::support::Message::sqlstate).as_deref(), Some("08007"), "{length}: {said:?}");
        assert_eq!(gateway.client().tags(&query("SELECT fine")), "T D C ZI");
        if length > 8 {
            break;
        }
    }
}

#[test]
fn a_server_that_hangs_up_within_a_row_ends_the_session_only() {
    let (_server, gateway) = before(|| None);
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.send(&query("SELECT bad"));
    assert_eq!(tags(&first.until_end()), "E08007");
    assert_eq!(second.tags(&query("SELECT fine")), "T D C ZI");
}

#[test]
fn lengths_that_no_message_has_end_the_session() {
    for length in [0_u32, 3, 0x7fff_ffff, u32::MAX] {
        for tag in [b'D', b'T', b'E', b'Z'] {
            let got = met(move || Some([&[tag][..], &length.to_be_bytes(), b"abc"].concat()));
            assert!(got.contains("E08007"), "{} {length}: {got}", char::from(tag));
        }
    }
}

#[test]
fn a_server_that_answers_twice_is_not_given_to_anybody() {
    for more in [good(), ready(), row(b"of nobody")] {
        let got = met(move || Some([good(), more.clone()].concat()));
        assert!(got.starts_with("T D C ZI") || got == "E08007", "{got}");
    }
}

#[test]
fn a_server_that_reports_settings_without_end_ends_the_session() {
    let got = met(|| {
        let settings = (0..10_000).map(|number| fake_message(b'S', format!("setting{number}\0on\0").as_bytes()));
        Some([settings.collect::<Vec<_>>().concat(), good()].concat())
    });
    assert!(got.ends_with("E08007") && !got.contains('T'), "{got}");
}

#[test]
fn a_status_that_is_none_ends_the_session() {
    for status in [&b"X"[..], b"", b"II"] {
        let got = met(move || Some([fake_message(b'C', b"SELECT 1\0"), fake_message(b'Z', status)].concat()));
        assert!(got.contains("E08007"), "{got}");
    }
}

#[test]
fn an_error_without_a_code_at_the_login_is_told_as_unreachable() {
    for body in [&b"SFATAL\0Mno code\0\0"[..], b"\0", b"", b"S", b"C\0\0", b"C28P0"] {
        let server = FakeServer::start_with_door(move || Some(fake_message(b'E', body)), |_| Some(good()));
        let gateway = Setup::new(&server.url(), "fake", "fake").wait_seconds(1).start();
        let refused = Client::try_login(&gateway.login()).err().unwrap();
        assert_eq!(refused.sqlstate, "08006", "{body:?}: {}", refused.text);
    }
}

#[test]
fn a_place_that_speaks_another_protocol_is_told_as_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten().take(64) {
            let _said = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let url = format!("postgres://fake@127.0.0.1:{port}/fake?sslmode=disable");
    let gateway = Setup::new(&url, "fake", "fake").wait_seconds(1).start();
    let refused = Client::try_login(&gateway.login()).err().unwrap();
    assert_eq!(refused.sqlstate, "08006");
}

/// A server tells of a changed configuration whenever it likes, right behind the last answer for one.
#[test]
fn what_is_said_behind_the_answer_to_the_gateways_last_question_reaches_its_client_and_no_other() {
    let zone = fake_message(b'S', b"TimeZone\0Asia/Tokyo\0");
    for cut in [zone.len(), 3] {
        let behind = zone[..cut].to_vec();
        let server = FakeServer::start(move |sql| {
            let is_question = sql.contains("pg_catalog.pg_settings");
            Some(if is_question { [none(), behind.clone()].concat() } else { good() })
        });
        let gateway = Setup::new(&server.url(), "fake", "fake").servers_max(1).start();
        let (mut first, mut second) = (gateway.client(), gateway.client());
        // Whatever is set is asked for.
        assert_eq!(first.tags(&query("SET a.b = 'c'")), "T D C ZI");
        first.send(&query("SELECT fine"));
        let told = if cut == zone.len() { "S T D C ZI" } else { "T D C ZI" };
        assert_eq!(tags(&first.until_ready()), told, "{cut}");
        assert_eq!(second.tags(&query("SELECT fine")), "T D C ZI", "{cut}");
    }
}

fn none() -> Vec<u8> {
    let columns = [&[0, 3][..], &[b"x\0", &[0; 18][..]].concat().repeat(3)].concat();
    [fake_message(b'T', &columns), fake_message(b'C', b"SELECT 0\0"), ready()].concat()
}
