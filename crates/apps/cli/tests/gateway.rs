//! The verbs of `atalaya gateway`, as an operator uses them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use atalaya_sandbox::{Server, ServerOptions, client_tools, eventually, free_port};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Ran, ran};

pub(crate) const PASSWORD: &str = "clerks-password";

/// Two servers, a gateway's estate, and the program.
pub(crate) struct Front {
    pub(crate) old: Server,
    pub(crate) new: Server,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
}

impl Front {
    pub(crate) fn between(from: u16, to: u16) -> Self {
        let (old, new) =
            (Server::start(ServerOptions::new(from)).unwrap(), Server::start(ServerOptions::new(to)).unwrap());
        for server in [&old, &new] {
            server.create_database("shop").unwrap();
            server.run_sql("shop", &format!("CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")).unwrap();
        }
        let front = Self { old, new, port: free_port().unwrap(), folder: tempfile::tempdir().unwrap() };
        let verifier = front.verifier();
        front.write(&verifier, "");
        front
    }

    fn verifier(&self) -> String {
        let mut child =
            self.command(&["gateway", "verifier"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes the estate; `more` stands at the end of its database `shop`.
    fn write(&self, verifier: &str, more: &str) {
        let place = |server: &Server| server.url("shop");
        let estate = format!(
            "estate: shop
databases:
  old: {{ engine: postgres, url: \"{}\" }}
  new: {{ engine: postgres, url: \"{}\" }}
gateway:
  listen: 127.0.0.1:{}
  users:
    clerk: {{ verifier: \"{verifier}\", secrets: {{ shop: env:CLERK }} }}
  databases:
    shop: {{ to: old{more} }}
",
            place(&self.old),
            place(&self.new),
            self.port,
        );
        std::fs::write(self.estate(), estate).unwrap();
    }

    /// The folder for local state.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// psql that runs a statement through the gateway.
    pub(crate) fn held_psql(&self, sql: &str) -> std::process::Child {
        psql_at(self.port).args(["-qAt", "-c", sql]).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn estate(&self) -> PathBuf {
        self.folder.path().join("atalaya.yaml")
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atalaya"));
        command.arg("--estate").arg(self.estate()).arg("--state").arg(self.state()).args(words).env("CLERK", PASSWORD);
        command
    }

    pub(crate) fn gateway(&self, words: &[&str]) -> Ran {
        ran(&mut self.command(&[&["gateway"], words].concat()))
    }

    pub(crate) fn done(&self, words: &[&str]) -> serde_json::Value {
        let ran = self.gateway(&[words, &["--output", "json"]].concat());
        assert_eq!(ran.code, Some(0), "{words:?}: {}\n{}", ran.stdout, ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// How many are connected to the database.
    pub(crate) fn clients(&self) -> u64 {
        self.done(&["status"])["databases"][0]["clients"].as_u64().unwrap()
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Serving {
        let child = self.command(&[&["gateway", "run"], more].concat()).stderr(Stdio::null()).spawn().unwrap();
        Serving(child)
    }

    /// What psql answers through the gateway, its errors included.
    pub(crate) fn psql(&self, sql: &str) -> String {
        let output = psql_at(self.port).args(["-qAt", "-c", sql]).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
            .trim()
            .to_owned()
    }

    pub(crate) fn wait_until_it_serves(&self) {
        eventually("serving", || self.psql("SELECT 1") == "1");
    }
}

fn psql_at(port: u16) -> Command {
    let tools: PathBuf = client_tools(18).unwrap();
    let mut command = Command::new(Path::new(&tools).join("psql"));
    command.arg(format!("host=127.0.0.1 port={port} user=clerk dbname=shop")).env("PGPASSWORD", PASSWORD).arg("-X");
    command
}

/// A gateway of its own process; killed when a test fails.
pub(crate) struct Serving(std::process::Child);

impl Serving {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn ended(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

#[test]
fn clients_are_served_paused_led_to_another_server_and_let_go() {
    let front = Front::between(15, 18);
    let gateway = front.serve(&[]);
    front.wait_until_it_serves();
    assert!(front.psql("SHOW server_version").starts_with("15."));

    let paused = front.done(&["pause", "shop"]);
    let held = psql_at(front.port).args(["-qAt", "-c", "SHOW server_version"]).stdout(Stdio::piped()).spawn().unwrap();
    eventually("a client held", || front.done(&["status"])["databases"][0]["gate"]["waiting"] == 1);
    let again = front.gateway(&["pause", "shop"]);
    assert_eq!(again.code, Some(4), "{}", again.stderr);
    let wrong = front.gateway(&["resume", "shop", "--epoch", "77"]);
    assert_eq!(wrong.code, Some(4), "{}", wrong.stderr);
    let epoch = paused["epoch"].to_string();
    let resumed = front.done(&["resume", "shop", "--epoch", &epoch, "--to", "new"]);
    assert_eq!(resumed["clients_held"], 1);
    let answer = held.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&answer.stdout).starts_with("18."), "the held client begins on the new server");
    assert_eq!(front.done(&["status"])["databases"][0]["to"], "new");
    // An estate that is read again for another reason does not lead back.
    front.done(&["reload"]);
    assert_eq!(front.done(&["status"])["databases"][0]["to"], "new");
    assert!(front.psql("SHOW server_version").starts_with("18."));

    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.ended(), Some(0));
    let gone = front.gateway(&["status"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("no gateway answers"), "{}", gone.stderr);
}

#[test]
fn a_place_that_does_not_let_a_user_in_is_refused_and_the_gate_stays_closed() {
    let front = Front::between(15, 18);
    front.new.run_sql("shop", "ALTER ROLE clerk PASSWORD 'another'").unwrap();
    let _gateway = front.serve(&[]);
    front.wait_until_it_serves();
    front.done(&["pause", "shop"]);
    let refused = front.gateway(&["resume", "shop", "--to", "new"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("cannot log in at `new`") && !refused.stderr.contains(PASSWORD),
        "{}",
        refused.stderr
    );
    assert!(front.done(&["status"])["databases"][0]["gate"]["paused_epoch"].is_number());
    front.done(&["resume", "shop"]);
    assert!(front.psql("SHOW server_version").starts_with("15."));
}

#[test]
fn transactions_that_run_on_are_not_cut_by_a_pause() {
    let front = Front::between(15, 18);
    let _gateway = front.serve(&[]);
    front.wait_until_it_serves();
    let mut long = psql_at(front.port).arg("-qAt").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = long.stdin.take().unwrap();
    input.write_all(b"BEGIN;\nSELECT 1;\n").unwrap();
    eventually("a transaction", || front.done(&["status"])["databases"][0]["gate"]["running"] == 1);
    let refused = front.gateway(&["pause", "shop", "--drain", "0.2"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("1 transactions still ran"), "{}", refused.stderr);
    assert_eq!(front.psql("SELECT 2"), "2", "the gate is open again");
    input.write_all(b"SELECT 3;\nCOMMIT;\n").unwrap();
    drop(input);
    let said = long.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "1\n3\n");
}

#[test]
fn a_reload_takes_all_of_an_estate_or_none() {
    let front = Front::between(15, 18);
    let gateway = front.serve(&[]);
    front.wait_until_it_serves();
    std::fs::write(front.estate(), "estate: shop\n").unwrap();
    let refused = front.gateway(&["reload"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert_eq!(front.psql("SELECT 1"), "1");
    front.write(&front.verifier(), ", pooling: session");
    gateway.signal(Signal::SIGHUP);
    eventually("session pooling", || front.done(&["status"])["databases"][0]["pooling"] == "session");
    assert_eq!(front.psql("SELECT 1"), "1");
}

#[test]
fn who_is_taken_out_of_the_estate_is_let_go_once_idle() {
    let front = Front::between(15, 18);
    let _gateway = front.serve(&[]);
    front.wait_until_it_serves();
    let mut session = psql_at(front.port)
        .arg("-qAt")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = session.stdin.take().unwrap();
    input.write_all(b"SELECT 1;\n").unwrap();
    eventually("a session", || front.done(&["status"])["databases"][0]["clients"] == 1);
    let estate = std::fs::read_to_string(front.estate()).unwrap();
    std::fs::write(front.estate(), estate.replace("    clerk: {", "    other: {")).unwrap();
    front.done(&["reload"]);
    eventually("the session's end", || front.done(&["status"])["databases"][0]["clients"] == 0);
    input.write_all(b"SELECT 2;\n").unwrap();
    drop(input);
    let said = session.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("no longer lets this user connect"), "{said:?}");
    assert!(front.psql("SELECT 3").contains("password authentication failed"));
}

#[test]
fn a_new_gateway_takes_the_place_of_the_one_that_serves() {
    let front = Front::between(15, 18);
    let first = front.serve(&[]);
    front.wait_until_it_serves();
    let second = front.gateway(&["run"]);
    assert_eq!(second.code, Some(1), "two gateways on one port: {}", second.stderr);
    // A transaction that is under way is brought to its end by the old one.
    let mut long = psql_at(front.port).arg("-qAt").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = long.stdin.take().unwrap();
    input.write_all(b"BEGIN;\nSELECT 1;\n").unwrap();
    eventually("a transaction", || front.done(&["status"])["databases"][0]["gate"]["running"] == 1);
    let second = front.serve(&["--replace"]);
    eventually("the successor", || {
        let status = front.gateway(&["status", "--output", "json"]);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap_or_default();
        status["databases"][0]["gate"]["running"] == 0
    });
    assert_eq!(front.psql("SELECT 2"), "2");
    input.write_all(b"SELECT 3;\nCOMMIT;\n").unwrap();
    drop(input);
    assert_eq!(String::from_utf8_lossy(&long.wait_with_output().unwrap().stdout), "1\n3\n");
    assert_eq!(first.ended(), Some(0));
    assert_eq!(front.psql("SELECT 4"), "4");
    drop(second);
}
