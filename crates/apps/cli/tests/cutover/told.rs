//! What an operator asks before such a front, and what has to hold then.

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{LedgerRecord, Reconciliation};
use atalaya_postgres::Session;
use atalaya_sandbox::Server;

use super::front::{Front, MAX_PAUSE, PASSWORD};
use crate::support::eventually;

const MAX_PAUSE_US: u64 = 20_000_000;

impl Front {
    /// A verb that must succeed; what it says.
    pub(crate) fn led(&self, words: &[&str]) -> serde_json::Value {
        let done = self.ask(&[words, &["--max-pause", MAX_PAUSE, "--output", "json"]].concat());
        assert_eq!(done.code, Some(0), "{words:?}: {}\n{}", done.stdout, done.stderr);
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        match report["databases"].as_array() {
            Some(databases) => databases.iter().for_each(|database| assert_paused(words, database)),
            None => assert_paused(words, &report),
        }
        report
    }

    /// Which server is written down as the one that serves.
    pub(crate) fn serving(&self, database: &str) -> serde_json::Value {
        let asked = self.ask(&["migrate", "way-back", "status", &format!("{database}-to-18"), "--output", "json"]);
        assert_eq!(asked.code, Some(0), "{}\n{}", asked.stdout, asked.stderr);
        let status: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
        status["serving"].clone()
    }

    /// Of the server that clients are led to.
    pub(crate) fn version(&self, database: &str) -> String {
        self.runtime.block_on(async {
            let session = Session::connect(&self.url(database), "looking").await.unwrap();
            session.query_one("SHOW server_version", &[]).await.unwrap().get(0)
        })
    }

    /// What the sequence draws next where clients are led to.
    pub(crate) fn draw(&self, database: &str) -> i64 {
        self.runtime.block_on(async {
            let session = Session::connect(&self.url(database), "drawing").await.unwrap();
            session.query_one("SELECT nextval('ledger.drawn')", &[]).await.unwrap().get(0)
        })
    }

    /// Nothing ends a move or its way back before it is known where clients are; `command` is what settles it.
    pub(crate) fn assert_unsettled(&self, database: &str, place: &str, why: &str, command: &str) {
        let migration = format!("{database}-to-18");
        for words in [["finish"].as_slice(), &["way-back", "make"], &["way-back", "remove"], &["abort", "--dry-run"]] {
            let refused = self.ask(&[&["migrate"], words, &[&migration]].concat());
            assert_eq!(refused.code, Some(4), "{place}, {words:?}: {}\n{}", refused.stdout, refused.stderr);
            assert!(refused.stderr.contains(why), "{place}, {words:?}: {}", refused.stderr);
            assert!(refused.stderr.contains(&format!("`{command}`")), "{place}: {}", refused.stderr);
        }
    }

    /// Each key that clients write where they are led to is noted where it comes back to.
    pub(crate) fn assert_noted_on_the_way_back(&self) {
        self.runtime.block_on(async {
            let session = Session::connect(&self.url("shop"), "drawing").await.unwrap();
            let draw = "INSERT INTO ledger.draws SELECT nextval('ledger.drawn') FROM generate_series(1, 25)";
            session.batch(draw).await.unwrap();
        });
        let noted = "SELECT coalesce(sum(keys_count), 0) >= 25 FROM atalaya.touched WHERE name = 'draws'";
        eventually("keys noted", || self.shop.source.run_sql("shop", noted).unwrap().trim() == "t");
    }

    /// A certificate tells of every time that clients were led, and of the first one what its own report said.
    pub(crate) fn assert_certified(&self, first: &serde_json::Value, directions: &[&str]) {
        // Statistics that one side has and the other one lacks are a difference, and autovacuum makes them when it likes.
        for server in [&self.shop.target, &self.shop.source] {
            server.run_sql("shop", "ANALYZE").unwrap();
        }
        let file = self.shop.state().join("led");
        let made = self.ask(&["validate", "shop-to-18", "--certificate", file.to_str().unwrap()]);
        assert_eq!(made.code, Some(0), "{}\n{}", made.stdout, made.stderr);
        let [page, data] = ["html", "json"].map(|form| file.with_extension(form));
        let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&data).unwrap()).unwrap();
        let cutovers = read["certificate"]["cutovers"].as_array().unwrap();
        let led: Vec<&str> = cutovers.iter().map(|cutover| cutover["direction"].as_str().unwrap()).collect();
        assert_eq!(led, directions, "rehearsals lead nobody");
        let certified = &cutovers[0];
        for member in
            ["epoch", "pause_us", "stages", "sessions_ended", "rows_proven", "fenced_at", "marker", "from", "to"]
        {
            assert_eq!(certified[member], first[member], "{member}");
        }
        assert_gateways_certified(certified, first);
        assert_eq!((&certified["from_major"], &certified["to_major"]), (&13.into(), &18.into()));
        assert_eq!(certified["at"].as_str().unwrap().len(), "2026-01-01T00:00:00Z".len());
        let shown = std::fs::read_to_string(&page).unwrap();
        assert!(shown.contains("<h2>Cutovers</h2>") && shown.contains(first["marker"].as_str().unwrap()), "{shown}");
        for secret in [PASSWORD, "127.0.0.1", self.shop.state().to_str().unwrap()] {
            assert!(!shown.contains(secret), "{secret}");
        }
        for file in [page, data] {
            let checked = self.ask(&["validate", "shop-to-18", "--against", file.to_str().unwrap()]);
            assert_eq!(checked.code, Some(0), "{}\n{}", checked.stdout, checked.stderr);
        }
    }

    pub(crate) fn reconcile(&self, record: &LedgerRecord, server: &Server, database: &str) {
        let found = self.found(record, server, database);
        assert!(found.is_clean() && found.unknown == 0, "{found:?}");
        assert_eq!(found.committed, record.committed());
    }

    /// What a server has of what clients were told.
    pub(crate) fn found(&self, record: &LedgerRecord, server: &Server, database: &str) -> Reconciliation {
        let url = ConnectionUrl::parse(&server.url(database)).unwrap();
        self.runtime.block_on(async {
            let session = Session::connect(&url, "atalaya reconciling").await.unwrap();
            record.reconcile(&session).await.unwrap()
        })
    }
}

/// What each gateway has measured stands in the certificate, without its address.
fn assert_gateways_certified(certified: &serde_json::Value, first: &serde_json::Value) {
    let [certified, told] = [certified, first].map(|of| of["gateways"].as_array().unwrap());
    assert_eq!(certified.len(), told.len());
    for (certified, told) in certified.iter().zip(told) {
        for member in ["clients_held", "failed", "longest_wait_us", "paused_us"] {
            assert_eq!(certified[member], told[member], "{member}");
        }
        assert_eq!(told["failed"], 0);
        // Why they were ended is the report's business.
        let ended = ["clients_ended", "clients_misled"].map(|member| told[member].as_u64().unwrap());
        assert_eq!(certified["clients_ended"], ended.iter().sum::<u64>());
    }
}

/// What is promised of a pause is --max-pause, and no more.
#[expect(clippy::print_stdout, reason = "the pauses are measured here")]
fn assert_paused(words: &[&str], report: &serde_json::Value) {
    let stages: Vec<String> = report["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| format!("{} {} us", stage["stage"].as_str().unwrap(), stage["took_us"]))
        .collect();
    println!(
        "{}, {}: pause {} us, held {} for {} us at most ({})",
        words[1..].join(" "),
        report["database"],
        report["pause_us"],
        report["gateways"][0]["clients_held"],
        report["gateways"][0]["longest_wait_us"],
        stages.join(", ")
    );
    let waited = report["gateways"][0]["longest_wait_us"].as_u64().unwrap();
    assert!(waited <= MAX_PAUSE_US, "{words:?}: a client waited for {waited} us");
    assert_eq!(report["gateways"][0]["unsettled"], serde_json::Value::Null, "{words:?}");
}
