//! Lines of administration, arbitrary and damaged, and what is read of their answers.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use atalaya_damage::{damaged, pieces};
use atalaya_gateway::admin::{AdminSocket, Answer, Readiness, Refused, Request, Settled, Settlement};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Setup, for_each, obedient_server};

/// Every request; they are about a database that nobody has, so that those that come through do nothing.
fn requests() -> Vec<Request> {
    let database = || "nobody's".to_owned();
    vec![
        Request::Status,
        Request::Pause { database: database(), drain_limit_ms: 5000, hold_limit_ms: 60_000 },
        Request::Resume { database: database(), epoch: None, to: Some("green".to_owned()) },
        Request::Ready { database: database(), to: "green".to_owned() },
        Request::Arm { database: database(), epoch: 3, drain_limit_ms: 5000 },
        Request::Settle { database: database(), epoch: u64::MAX },
        Request::Reload,
        Request::HandOver,
    ]
}

fn answers() -> Vec<Answer> {
    vec![
        Answer::Resumed { paused_ms: 7, clients_held: 1, clients_ended: 2, clients_misled: 3 },
        Answer::Ready(Readiness {
            gate: "gate".to_owned(),
            from: "blue".to_owned(),
            last_epoch: 3,
            fence_process_id: -7,
            session_user: "app".to_owned(),
            servers_open: 2,
            running: 1,
            kept: Vec::new(),
            misled: 0,
        }),
        Answer::Armed { drained_ms: 5 },
        Answer::Settled(Settled {
            decision: Settlement::Closed { by: "gate".to_owned(), reason: "late".to_owned() },
            leads_to: "blue".to_owned(),
            paused_ms: 1,
            clients_held: 2,
            clients_ended: 3,
            clients_misled: 4,
            requests_refused: 5,
            longest_wait_ms: 6,
        }),
        Answer::Reloaded,
        Answer::Refused(Refused::NotDrained { running: 3, waited_ms: 5000 }),
        Answer::Refused(Refused::Estate { text: "`\u{e4}` \"\n".to_owned() }),
    ]
}

fn lines<T: serde::Serialize>(all: &[T]) -> Vec<Vec<u8>> {
    all.iter().map(|each| [&serde_json::to_vec(each).unwrap()[..], b"\n"].concat()).collect()
}

proptest! {
    #[test]
    fn a_request_is_refused_or_understood_as_what_it_says(
        bytes in prop_oneof![any::<Vec<u8>>(), damaged(lines(&requests()))],
    ) {
        if let Ok(request) = serde_json::from_slice::<Request>(&bytes) {
            let written = serde_json::to_vec(&request).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Request>(&written).unwrap(), request);
        }
    }

    #[test]
    fn an_answer_is_refused_or_understood_as_what_it_says(
        bytes in prop_oneof![any::<Vec<u8>>(), damaged(lines(&answers()))],
    ) {
        if let Ok(answer) = serde_json::from_slice::<Answer>(&bytes) {
            let written = serde_json::to_vec(&answer).unwrap();
            let again: Answer = serde_json::from_slice(&written).unwrap();
            prop_assert_eq!(serde_json::to_vec(&again).unwrap(), written);
        }
    }
}

#[test]
fn requests_and_answers_are_read_as_they_were_written() {
    for (request, line) in requests().into_iter().zip(lines(&requests())) {
        assert_eq!(serde_json::from_slice::<Request>(&line).unwrap(), request);
    }
    for line in lines(&answers()) {
        let answer: Answer = serde_json::from_slice(&line).unwrap();
        assert_eq!(lines(&[answer]), [line]);
    }
}

#[test]
fn damaged_lines_in_pieces_are_answered_line_by_line_and_keep_nobody_out() {
    let server = obedient_server();
    let gateway = Setup::new(&server.url(), "fake", "fake").workers(1).start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let socket = gateway.runtime().block_on(async { AdminSocket::open(&path).unwrap() });
    gateway.runtime().spawn(socket.serve(gateway.control()));
    let all = lines(&requests()).concat();
    let inputs = (
        prop_oneof![any::<Vec<u8>>().boxed(), damaged(lines(&requests()).into_iter().chain([all])).boxed()],
        vec(any::<Index>(), 0..4),
    );
    for_each(64, inputs, |(bytes, cuts)| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        for piece in pieces(&bytes, &cuts) {
            let _sent = stream.write_all(piece);
        }
        let _closed = stream.shutdown(Shutdown::Write);
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let asked = bytes.split(|byte| *byte == b'\n').count();
        prop_assert!(said.lines().count() <= asked && (said.is_empty() || said.ends_with('\n')), "{}", said);
        for line in said.lines() {
            prop_assert!(serde_json::from_str::<Answer>(line).is_ok(), "{}", line);
        }
        let status = AdminSocket::ask(&path, &Request::Status, Duration::from_secs(20));
        let is_heard = matches!(gateway.runtime().block_on(status), Ok(Answer::Status(_)));
        prop_assert!(is_heard && !gateway.has_panicked());
        Ok(())
    });
}
