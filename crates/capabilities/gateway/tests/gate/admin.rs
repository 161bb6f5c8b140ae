//! The administration's socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use atalaya_gateway::admin::{AdminSocket, Answer, Refused, Request};
use atalaya_sandbox::eventually;

use crate::support::{gateway, query, tags};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn it_answers_what_is_asked_and_refuses_what_is_not_understood() {
    let gateway = gateway();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin");
    let runtime = gateway.runtime();
    let serving = {
        let _inside = runtime.enter();
        runtime.spawn(AdminSocket::open(&path).unwrap().serve(gateway.control()))
    };
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let ask = |request: Request| runtime.block_on(AdminSocket::ask(&path, &request, LIMIT)).unwrap();
    assert!(matches!(ask(Request::Status), Answer::Status(status) if status.databases[0].name == "shop"));
    let pause = || Request::Pause { database: "shop".to_owned(), drain_limit_ms: 1000, hold_limit_ms: 60_000 };
    let Answer::Paused { epoch, .. } = ask(pause()) else { panic!("not paused") };
    assert!(matches!(ask(pause()), Answer::Refused(Refused::Paused { epoch: other }) if other == epoch));
    let resume = Request::Resume { database: "shop".to_owned(), epoch: Some(epoch), to: None };
    assert!(matches!(ask(resume), Answer::Resumed { .. }));
    assert!(matches!(ask(Request::Reload), Answer::Refused(Refused::Estate { .. })));
    let mut odd = UnixStream::connect(&path).unwrap();
    odd.set_read_timeout(Some(LIMIT)).unwrap();
    let mut answers = BufReader::new(odd.try_clone().unwrap());
    for line in ["", "{}", "{\"verb\":\"drop\"}", "nonsense"] {
        odd.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(
            matches!(serde_json::from_str(&answer).unwrap(), Answer::Refused(Refused::Unknown)),
            "{line}: {answer}"
        );
    }
    let _inside = runtime.enter();
    assert!(AdminSocket::open(&path).is_err(), "another one listens there");
    serving.abort();
}

#[test]
fn who_asked_for_a_pause_and_left_leaves_no_gate_closed() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("BEGIN");
    let pause = Request::Pause { database: "shop".to_owned(), drain_limit_ms: 600_000, hold_limit_ms: 600_000 };
    let control = gateway.control();
    let asked = gateway.runtime().spawn(async move { control.answer(pause).await });
    eventually("the gate is closed", || gateway.status().gate.paused_epoch.is_some());
    asked.abort();
    eventually("the gate is open", || gateway.status().gate.paused_epoch.is_none());
    client.run("COMMIT");
    assert_eq!(tags(&client.ask(&query("SELECT 1"))), "T D C ZI");
}
