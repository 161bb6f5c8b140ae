//! What clients, servers and the command say while clients are led away, for the tests of this folder.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Server, client_tools};

use super::front::{Front, MAX_PAUSE, PASSWORD};
use crate::support::{Move, Ran, Running, eventually};

/// Long enough for a drain that comes to an end, and short enough for one that does not.
pub(super) const SHORT_PAUSE: &str = "6s";

impl Front {
    /// A client of one of the gateway's databases.
    pub(crate) fn client(&self, database: &str) -> Session {
        self.runtime.block_on(Session::connect(&self.url(database), "client")).unwrap()
    }

    /// Whether a role that logs in past the gateway is let in.
    pub(crate) fn is_let_in(&self, role: &str, server: &Server) -> bool {
        let text = format!("postgres://{role}:{PASSWORD}@127.0.0.1:{}/shop", server.port());
        match self.runtime.block_on(Session::connect(&ConnectionUrl::parse(&text).unwrap(), "stray")) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.sqlstate(), Some("42501"), "{error:?}");
                false
            }
        }
    }

    pub(crate) fn batch(&self, client: &Session, sql: &str) {
        self.runtime.block_on(client.batch(sql)).unwrap();
    }

    /// The first column of the only row.
    pub(crate) fn asked(&self, client: &Session, sql: &str) -> String {
        self.runtime.block_on(client.query_one(sql, &[])).unwrap().get(0)
    }

    /// Waits until a client was ended, and tells with which SQLSTATE.
    pub(super) fn ended_with(&self, client: &Session) -> Option<String> {
        eventually("the client's end", || client.is_closed());
        let told = self.runtime.block_on(client.batch("SELECT 1")).unwrap_err();
        told.sqlstate().map(str::to_owned)
    }

    /// psql at the gateway with both ends in the test's hands.
    pub(super) fn psql(&self, sql: &str) -> Child {
        let mut command = Command::new(client_tools(18).unwrap().join("psql"));
        let url = self.url("shop");
        let (host, port) = (url.host(), url.port());
        command
            .arg(format!("host={host} port={port} user=clerk dbname=shop"))
            .env("PGPASSWORD", PASSWORD)
            .args(["-X", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// `migrate cutover` or `rollback` to its end.
    pub(crate) fn lead(&self, verb: &str, more: &[&str]) -> Ran {
        self.ask(&[&["migrate", verb, "shop-to-18"], more].concat())
    }

    /// The same, halted at a place until it is let go on.
    pub(super) fn halted(&self, place: &str) -> Running {
        self.halted_in("cutover", place)
    }

    pub(super) fn halted_in(&self, verb: &str, place: &str) -> Running {
        let words = ["migrate", verb, "shop-to-18", "--max-pause", MAX_PAUSE];
        let mut running = self.spawn(&words, &[("ATALAYA_FAILPOINT", &format!("{place}:1:stop"))]);
        running.wait_for_halt();
        running
    }

    /// It was broken off: the command says so, where clients are and what to do next, and the journal has decided.
    pub(crate) fn assert_broken_off(&self, done: &Ran, code: i32, says: &[&str], place: &str) {
        assert_eq!(done.code, Some(code), "{}\n{}", done.stdout, done.stderr);
        for said in
            says.iter().copied().chain([&*format!("clients of `shop` are served by `{place}`"), "atalaya migrate "])
        {
            assert!(done.stderr.contains(said), "not `{said}`:\n{}", done.stderr);
        }
        let gate = &self.gateway_status()["databases"][0];
        assert_eq!((&gate["to"], &gate["gate"]["held"]), (&place.into(), &serde_json::Value::Null));
    }

    pub(super) fn gateway_status(&self) -> serde_json::Value {
        let asked = self.ask(&["gateway", "status", "--output", "json"]);
        assert_eq!(asked.code, Some(0), "{}\n{}", asked.stdout, asked.stderr);
        serde_json::from_str(&asked.stdout).unwrap()
    }

    /// What a check of `--dry-run` has found, in one text.
    pub(crate) fn found_by(&self, verb: &str, check: &str) -> String {
        let looked = self.lead(verb, &["--dry-run", "--output", "json"]);
        let report: serde_json::Value = serde_json::from_str(&looked.stdout).unwrap_or_else(|_| panic!("{looked:?}"));
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|found| found["id"] == check).unwrap()["findings"].to_string()
    }

    /// Statements of clients that a server works at.
    pub(super) fn running(&self, server: &Server, statement: &str) -> String {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'clerk' AND state = 'active' AND query LIKE '{statement}%'"
        );
        server.run_sql("shop", &sql).unwrap()
    }

    /// Both sides hold the same rows, as psql and as the program sees them.
    pub(crate) fn assert_equal(&self) {
        eventually("both sides equal", || Move::digests(&self.shop.source) == Move::digests(&self.shop.target));
        let proof = self.ask(&["validate", "shop-to-18"]);
        assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    }
}

/// Sends psql the rest of its input, and waits for its end.
pub(super) fn finished(mut psql: Child, rest: &str) -> String {
    psql.stdin.take().unwrap().write_all(rest.as_bytes()).unwrap();
    let output = psql.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}
