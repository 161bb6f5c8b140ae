//! Servers whose messages come in pieces, and whose errors say little, by each protocol.

use std::io::Write;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

use crate::support::{
    Client, FakeServer, Gateway, Message, PIPELINE, Setup, bind, execute, fake_message, parse, query, sync, tags,
};

fn columns() -> Vec<u8> {
    fake_message(b'T', &[&[0, 1][..], b"x\0", &[0; 18]].concat())
}

fn row() -> Vec<u8> {
    fake_message(b'D', &[&[0, 1, 0, 0, 0, 4][..], b"good"].concat())
}

fn ready() -> Vec<u8> {
    fake_message(b'Z', b"I")
}

/// A whole answer to a query, or to a pipeline.
fn good(sql: &str) -> Vec<u8> {
    let complete = fake_message(b'C', b"SELECT 1\0");
    let notice = fake_message(b'N', b"SNOTICE\0C00000\0Mby the way\0\0");
    match sql {
        PIPELINE => [fake_message(b'1', b""), fake_message(b'2', b""), row(), notice, complete, ready()].concat(),
        _ => [columns(), row(), notice, complete, ready()].concat(),
    }
}

fn pipeline() -> Vec<u8> {
    [parse("", "SELECT x"), bind("", "", &[]), execute("", 0), sync()].concat()
}

/// A server whose first connection says the beginning of an answer, and the rest when it is told.
struct InPieces {
    gateway: Gateway,
    /// How much is said at first.
    first: Arc<Mutex<usize>>,
    go_on: Sender<()>,
    _server: FakeServer,
}

impl InPieces {
    fn start() -> Self {
        let (go_on, told) = mpsc::channel();
        let (first, told) = (Arc::<Mutex<usize>>::default(), Mutex::new(told));
        let asked = Arc::clone(&first);
        let server = FakeServer::start_writing(move |sql, stream| {
            let answer = good(sql);
            if ![PIPELINE, "SELECT x"].contains(&sql) {
                return stream.write_all(&answer).ok();
            }
            let (head, rest) = answer.split_at(*asked.lock().unwrap());
            stream.write_all(head).ok()?;
            told.lock().unwrap().recv().ok()?;
            stream.write_all(rest).ok()
        });
        let setup = Setup::new(&server.url(), "fake", "fake").servers_max(2).workers(1);
        Self { gateway: setup.start(), first, go_on, _server: server }
    }

    /// What a client is told when the answer comes in two pieces.
    fn split_at(&self, length: usize, client: &mut Client, other: &mut Client, request: &[u8]) -> Vec<Message> {
        *self.first.lock().unwrap() = length;
        client.send(request);
        // Twice, so that the worker has come by what was there of the answer.
        for _ in 0..2 {
            assert_eq!(other.tags(&query("SELECT other")), "T D N C ZI", "at {length}");
        }
        self.go_on.send(()).unwrap();
        client.until_ready()
    }
}

#[test]
fn answers_split_at_every_byte_are_told_whole_by_each_protocol() {
    let pieces = InPieces::start();
    let (mut client, mut other) = (pieces.gateway.client(), pieces.gateway.client());
    for (request, answer, expected) in
        [(query("SELECT x"), good("SELECT x"), "T D N C ZI"), (pipeline(), good(PIPELINE), "1 2 D N C ZI")]
    {
        for length in 0..answer.len() {
            let said = pieces.split_at(length, &mut client, &mut other, &request);
            assert_eq!(tags(&said), expected, "at {length}");
            let row = said.iter().find(|said| said.tag == b'D').unwrap().row();
            assert_eq!(row, [Some("good".to_owned())], "at {length}");
        }
    }
}

#[test]
fn an_error_without_a_code_within_a_pipeline_is_passed_on_and_ends_it_at_its_sync() {
    for error in [&b"SERROR\0Mno code\0\0"[..], b"\0", b""] {
        for before in [vec![], fake_message(b'1', b""), [fake_message(b'1', b""), fake_message(b'2', b"")].concat()] {
            let bad = [before, fake_message(b'E', error), ready()].concat();
            let server = FakeServer::start(move |sql| match sql {
                PIPELINE => Some(bad.clone()),
                sql => Some(good(sql)),
            });
            let gateway = Setup::new(&server.url(), "fake", "fake").start();
            let (mut client, mut other) = (gateway.client(), gateway.client());
            let said = client.ask(&pipeline());
            assert!(tags(&said).ends_with("E ZI"), "{said:?}");
            assert_eq!(client.tags(&query("SELECT x")), "T D N C ZI");
            assert_eq!(other.tags(&query("SELECT x")), "T D N C ZI");
        }
    }
}

#[test]
fn a_pipeline_that_is_answered_out_of_step_ends_its_session_only() {
    for odd in [fake_message(b'2', b""), fake_message(b'3', b""), fake_message(b't', &[0, 0]), ready()] {
        let server = FakeServer::start(move |sql| match sql {
            PIPELINE => Some([odd.clone(), good(PIPELINE)].concat()),
            sql => Some(good(sql)),
        });
        let gateway = Setup::new(&server.url(), "fake", "fake").start();
        let (mut client, mut other) = (gateway.client(), gateway.client());
        client.send(&pipeline());
        let said = client.until_end();
        assert_eq!(said.last().map(Message::sqlstate).as_deref(), Some("08007"), "{said:?}");
        assert_eq!(other.tags(&query("SELECT x")), "T D N C ZI");
    }
}
