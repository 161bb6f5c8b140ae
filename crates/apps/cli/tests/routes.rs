//! `atalaya gateway run` where the journal leads: processes that are killed, frozen, and started again.

use std::process::Child;
use std::time::Duration;

use atalaya_eventstore::{Options, Store};
use atalaya_gateway::admin::{AdminSocket, Answer, Readiness, Refused, Request};
use atalaya_route::{Decision, OpenEpoch, Opening, Routes};
use atalaya_sandbox::{Server, ServerOptions, StopMode, eventually};
use nix::sys::signal::Signal;
use tokio::runtime::Runtime;

use crate::gateway::Front;

const ANSWER: Duration = Duration::from_secs(60);
/// Long enough for a machine that is slow.
const LONG: Duration = Duration::from_secs(300);
const VERSION: &str = "SHOW server_version";

/// What a coordinator of a cutover does.
struct Coordinator<'a> {
    front: &'a Front,
    runtime: Runtime,
    routes: Routes,
}

impl<'a> Coordinator<'a> {
    fn of(front: &'a Front) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let file = front.state().join("journal.db");
        let open = Store::open_sqlite(&file, Options::default());
        let routes = Routes::new(runtime.block_on(open).unwrap());
        Self { front, runtime, routes }
    }

    fn ask(&self, request: &Request) -> std::io::Result<Answer> {
        let socket = self.front.state().join("gateway.sock");
        self.runtime.block_on(AdminSocket::ask(&socket, request, ANSWER))
    }

    /// A gate that is held for an epoch.
    fn armed(&self, lease: Duration) -> OpenEpoch {
        let ready = Request::Ready { database: "old".to_owned(), to: "new".to_owned() };
        let ready = match self.ask(&ready).unwrap() {
            Answer::Ready(ready) => ready,
            other => panic!("{other:?}"),
        };
        let epoch = self.open(&ready, lease);
        let arm = Request::Arm { database: "old".to_owned(), epoch: epoch.epoch, drain_limit_ms: 60_000 };
        let armed = self.ask(&arm).unwrap();
        assert!(matches!(armed, Answer::Armed { .. }), "{armed:?}");
        epoch
    }

    fn open(&self, ready: &Readiness, lease: Duration) -> OpenEpoch {
        let opening = Opening {
            migration: "old-to-new".to_owned(),
            from: "old".to_owned(),
            to: "new".to_owned(),
            gates: vec![ready.gate.clone()],
            lease,
            lift: vec!["GRANT CONNECT ON DATABASE shop TO PUBLIC".to_owned()],
            rehearsal: false,
        };
        self.runtime.block_on(self.routes.open("old", opening)).unwrap()
    }

    fn flip(&self, epoch: &OpenEpoch) -> Decision {
        self.runtime.block_on(self.routes.flip(epoch, "coordinator")).unwrap()
    }

    fn close(&self, epoch: &OpenEpoch) -> Decision {
        self.runtime.block_on(self.routes.close(epoch, "coordinator", "a test")).unwrap()
    }

    fn decision(&self, epoch: &OpenEpoch) -> Option<Decision> {
        self.runtime.block_on(self.routes.decision(epoch)).unwrap()
    }

    fn settle(&self, epoch: &OpenEpoch) -> Answer {
        self.ask(&Request::Settle { database: "old".to_owned(), epoch: epoch.epoch }).unwrap()
    }

    fn fence(&self) {
        let sql = "REVOKE CONNECT ON DATABASE shop FROM PUBLIC; SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = 'shop' AND usename = 'clerk'";
        self.front.old.run_sql("postgres", sql).unwrap();
        assert!(self.is_fenced());
    }

    fn is_fenced(&self) -> bool {
        let sql = "SELECT has_database_privilege('clerk', 'shop', 'CONNECT')";
        self.front.old.run_sql("postgres", sql).unwrap() == "f"
    }
}

fn answered(held: Child) -> String {
    String::from_utf8(held.wait_with_output().unwrap().stdout).unwrap()
}

fn held_for(front: &Front) -> serde_json::Value {
    front.done(&["status"])["databases"][0]["gate"]["held"].clone()
}

#[test]
fn a_gateway_that_is_killed_while_armed_is_shut_when_it_comes_back_until_the_lease_is_over() {
    let front = Front::between(15, 18);
    let gateway = front.serve(&[]);
    front.wait_until_it_serves();
    let coordinator = Coordinator::of(&front);
    let lease = Duration::from_secs(4);
    let epoch = coordinator.armed(lease);
    coordinator.fence();
    gateway.signal(Signal::SIGKILL);
    assert_eq!(gateway.ended(), None);
    let _again = front.serve(&[]);
    // Whoever comes is answered once it is decided; until then nobody is.
    front.wait_until_it_serves();
    match coordinator.decision(&epoch) {
        Some(Decision::Closed { reason, .. }) => assert_eq!(reason, "its lease of 4000 ms was over"),
        other => panic!("{other:?}"),
    }
    assert!(!coordinator.is_fenced());
    assert!(front.psql(VERSION).starts_with("15."));
    let left = coordinator.runtime.block_on(coordinator.routes.lease_left(&epoch)).unwrap();
    assert_eq!(left, Duration::ZERO, "closed before its time");
}

#[test]
fn a_gateway_that_starts_after_a_flip_serves_the_new_server_though_its_estate_file_names_the_old() {
    let front = Front::between(15, 18);
    let gateway = front.serve(&[]);
    front.wait_until_it_serves();
    let coordinator = Coordinator::of(&front);
    let epoch = coordinator.armed(LONG);
    // Killed between the flip and the word of it.
    coordinator.flip(&epoch);
    gateway.signal(Signal::SIGKILL);
    assert_eq!(gateway.ended(), None);
    let _again = front.serve(&[]);
    front.wait_until_it_serves();
    assert!(front.psql(VERSION).starts_with("18."));
    front.done(&["reload"]);
    assert!(front.psql(VERSION).starts_with("18."));
    let status = front.done(&["status"]);
    assert_eq!((&status["databases"][0]["to"], &status["databases"][0]["led_by_epoch"]), (&"new".into(), &1.into()));
    // An administrator does not lead away from where the journal leads.
    front.done(&["pause", "shop"]);
    let refused = front.gateway(&["resume", "shop", "--to", "old"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("the journal leads the database to `new`"), "{}", refused.stderr);
    front.done(&["resume", "shop"]);
    assert!(matches!(coordinator.settle(&epoch), Answer::Settled(settled) if settled.leads_to == "new"));
}

#[test]
fn a_frozen_gateway_that_wakes_after_its_lease_finds_what_was_decided() {
    for flips in [true, false] {
        let front = Front::between(15, 18);
        let gateway = front.serve(&[]);
        front.wait_until_it_serves();
        let coordinator = Coordinator::of(&front);
        let epoch = coordinator.armed(Duration::from_secs(3));
        let held = front.held_psql(VERSION);
        gateway.signal(Signal::SIGSTOP);
        coordinator.fence();
        let decision = if flips { coordinator.flip(&epoch) } else { coordinator.close(&epoch) };
        let left = || coordinator.runtime.block_on(coordinator.routes.lease_left(&epoch)).unwrap();
        eventually("the end of the lease", || left().is_zero());
        gateway.signal(Signal::SIGCONT);
        // A machine that is slow may have closed it before it was frozen; then that is what was decided.
        let (version, fenced) = match decision {
            Decision::Flipped { .. } => ("18.", true),
            Decision::Closed { .. } => ("15.", false),
        };
        let answer = answered(held);
        assert!(answer.starts_with(version), "{answer}");
        assert_eq!(coordinator.is_fenced(), fenced);
        assert_eq!(coordinator.decision(&epoch), Some(decision));
    }
}

#[test]
fn what_is_held_for_the_journal_is_shown_and_not_opened_by_hand() {
    let front = Front::between(15, 18);
    let _gateway = front.serve(&[]);
    front.wait_until_it_serves();
    let coordinator = Coordinator::of(&front);
    let epoch = coordinator.armed(LONG);
    let held = front.held_psql(VERSION);
    eventually("a client held", || front.done(&["status"])["databases"][0]["gate"]["waiting"] == 1);
    assert_eq!(held_for(&front), serde_json::json!({ "for": "epoch", "epoch": 1 }));
    let shown = front.gateway(&["status"]).stdout;
    assert!(shown.contains("until epoch 1 of its route is decided, 1 clients wait"), "{shown}");
    for words in [&["pause", "shop"][..], &["resume", "shop"], &["resume", "shop", "--to", "new"]] {
        let refused = front.gateway(words);
        assert_eq!(refused.code, Some(4), "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("waits for what the journal says"), "{}", refused.stderr);
    }
    let refused = front.gateway(&["reload"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("epoch 1 of `old` is not decided yet"), "{}", refused.stderr);
    assert!(matches!(coordinator.settle(&epoch), Answer::Refused(Refused::Undecided { epoch: 1 })));
    coordinator.close(&epoch);
    assert!(matches!(coordinator.settle(&epoch), Answer::Settled(settled) if settled.clients_held == 1));
    assert!(answered(held).starts_with("15."));
    assert_eq!(held_for(&front), serde_json::Value::Null);
}

#[test]
fn nobody_is_served_as_long_as_the_journal_cannot_be_reached() {
    let front = Front::between(15, 18);
    let mut journal = Server::start(ServerOptions::new(18)).unwrap();
    journal.stop(StopMode::Fast).unwrap();
    let url = journal.url("postgres");
    let _gateway = front.serve(&["--journal", &url]);
    eventually("it answers", || front.gateway(&["status"]).code == Some(0));
    assert_eq!(held_for(&front), serde_json::json!({ "for": "route" }));
    let mut held = front.held_psql(VERSION);
    eventually("a client held", || front.done(&["status"])["databases"][0]["gate"]["waiting"] == 1);
    let shown = front.gateway(&["status"]).stdout;
    assert!(shown.contains("where the journal leads it is not known; 1 clients wait"), "{shown}");
    assert!(held.try_wait().unwrap().is_none());
    journal.start_again().unwrap();
    assert!(answered(held).starts_with("15."));
    assert_eq!(held_for(&front), serde_json::Value::Null);
}

#[test]
fn a_gateway_makes_no_journal() {
    let front = Front::between(15, 18);
    let _gateway = front.serve(&[]);
    front.wait_until_it_serves();
    assert!(!front.state().join("journal.db").exists());
}
