//! Clients of a ledger through a gateway, led from 13 to 18 and back while they work, as an operator does it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRecord, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use atalaya_sandbox::{Server, free_port};
use tokio::runtime::Runtime;

use crate::support::{Move, Ran, Running, eventually, ran};

const PASSWORD: &str = "clerks-password";
/// Long enough for servers that share a machine with other tests.
const MAX_PAUSE: &str = "20s";
const MAX_PAUSE_US: u64 = 20_000_000;

/// A move that follows, a gateway before it, and an application.
struct Front {
    shop: Move,
    port: u16,
    runtime: Runtime,
    gateway: Option<Running>,
    running: Option<Running>,
}

impl Front {
    fn between(from: u16, to: u16) -> Self {
        let shop = Move::between(from, to);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        for server in [&shop.source, &shop.target] {
            server.run_sql("shop", &format!("CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")).unwrap();
        }
        let mut front = Self { shop, port: free_port().unwrap(), runtime, gateway: None, running: None };
        front.write_estate();
        front.prepare_ledger();
        let mut running = front.spawn(&["migrate", "start", "shop-to-18"], &[]);
        eventually("following", || {
            running.assert_alive();
            let ran = front.ask(&["migrate", "status", "shop-to-18", "--output", "json"]);
            let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
            status["running"] == true && status["activity"]["caught_up"] == true
        });
        front.running = Some(running);
        let proven = front.ask(&["validate", "shop-to-18"]);
        assert_eq!(proven.code, Some(0), "{}\n{}", proven.stdout, proven.stderr);
        let gateway = front.spawn(&["gateway", "run"], &[("CLERK", PASSWORD)]);
        front.gateway = Some(gateway);
        eventually("serving", || front.runtime.block_on(Session::connect(&front.url(), "waiting")).is_ok());
        front
    }

    /// The gateway's.
    fn url(&self) -> ConnectionUrl {
        let text = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop?sslmode=disable", self.port);
        ConnectionUrl::parse(&text).unwrap()
    }

    fn estate(&self) -> PathBuf {
        self.shop.state().join("atalaya.yaml")
    }

    fn ask(&self, words: &[&str]) -> Ran {
        let estate = self.estate();
        ran(&mut self.shop.command(&[&["--estate", estate.to_str().unwrap()], words].concat()))
    }

    fn spawn(&self, words: &[&str], variables: &[(&str, &str)]) -> Running {
        let estate = self.estate();
        self.shop.spawn_words(&[&["--estate", estate.to_str().unwrap()], words].concat(), variables)
    }

    fn write_estate(&self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_atalaya"))
            .args(["gateway", "verifier"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        let verifier = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let estate = format!(
            "estate: shop
databases:
  shop: {{ engine: postgres, url: \"${{SOURCE_URL}}\" }}
  shop-green: {{ engine: postgres, url: \"${{TARGET_URL}}\" }}
migrations:
  shop-to-18: {{ source: shop, target: shop-green }}
gateway:
  listen: 127.0.0.1:{}
  users:
    clerk: {{ verifier: \"{}\", secrets: {{ shop: env:CLERK }} }}
  databases:
    shop: {{ to: shop }}
",
            self.port,
            verifier.trim(),
        );
        std::fs::create_dir_all(self.shop.state()).unwrap();
        std::fs::write(self.estate(), estate).unwrap();
    }

    fn prepare_ledger(&self) {
        let url = ConnectionUrl::parse(&self.shop.source_url).unwrap();
        self.runtime.block_on(async {
            let session = Session::connect(&url, "ledger").await.unwrap();
            Ledger::prepare(&session, LedgerSize { accounts: 200 }).await.unwrap();
            session
                .batch(
                    "GRANT USAGE ON SCHEMA ledger TO clerk;
                     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ledger TO clerk;
                     CREATE SEQUENCE ledger.drawn; GRANT ALL ON SEQUENCE ledger.drawn TO clerk;
                     CREATE TABLE ledger.draws (id int PRIMARY KEY DEFAULT nextval('ledger.drawn'));
                     GRANT ALL ON ledger.draws TO clerk; ALTER SEQUENCE ledger.drawn OWNED BY ledger.draws.id",
                )
                .await
                .unwrap();
        });
    }

    fn start_clients(&self) -> LedgerRun {
        let options = LedgerOptions { clients: 12, rate: Some(150), ..LedgerOptions::new(self.url()) };
        self.runtime.block_on(Ledger::start(options)).unwrap()
    }

    fn until_committed(&self, run: &LedgerRun, more: u64) {
        let before = run.counts().committed;
        eventually("clients at work", || run.counts().committed >= before + more);
    }

    /// A verb that must succeed; what it says.
    #[expect(clippy::print_stdout, reason = "the pauses are measured here")]
    fn led(&self, words: &[&str]) -> serde_json::Value {
        let done = self.ask(&[words, &["--max-pause", MAX_PAUSE, "--output", "json"]].concat());
        assert_eq!(done.code, Some(0), "{words:?}: {}\n{}", done.stdout, done.stderr);
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let stages: Vec<String> = report["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| format!("{} {} us", stage["stage"].as_str().unwrap(), stage["took_us"]))
            .collect();
        println!(
            "{}: pause {} us, held {} for {} us at most ({})",
            words[1..].join(" "),
            report["pause_us"],
            report["gateways"][0]["clients_held"],
            report["gateways"][0]["longest_wait_us"],
            stages.join(", ")
        );
        // What is promised of a pause is --max-pause, and no more.
        let waited = report["gateways"][0]["longest_wait_us"].as_u64().unwrap();
        assert!(waited <= MAX_PAUSE_US, "{words:?}: a client waited for {waited} us");
        assert_eq!(report["gateways"][0]["unsettled"], serde_json::Value::Null, "{words:?}");
        report
    }

    /// Which server is written down as the one that serves.
    fn serving(&self) -> serde_json::Value {
        let asked = self.ask(&["migrate", "way-back", "status", "shop-to-18", "--output", "json"]);
        assert_eq!(asked.code, Some(0), "{}\n{}", asked.stdout, asked.stderr);
        let status: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
        status["serving"].clone()
    }

    fn version(&self) -> String {
        self.runtime.block_on(async {
            let session = Session::connect(&self.url(), "looking").await.unwrap();
            session.query_one("SHOW server_version", &[]).await.unwrap().get(0)
        })
    }

    /// What the sequence draws next where clients are led to.
    fn draw(&self) -> i64 {
        self.runtime.block_on(async {
            let session = Session::connect(&self.url(), "drawing").await.unwrap();
            session.query_one("SELECT nextval('ledger.drawn')", &[]).await.unwrap().get(0)
        })
    }

    /// Nothing ends the move or its way back before it is known where clients are.
    fn assert_unsettled(&self, place: &str, why: &str) {
        for words in [["finish"].as_slice(), &["way-back", "make"], &["way-back", "remove"], &["abort", "--dry-run"]] {
            let refused = self.ask(&[&["migrate"], words, &["shop-to-18"]].concat());
            assert_eq!(refused.code, Some(4), "{place}, {words:?}: {}\n{}", refused.stdout, refused.stderr);
            assert!(refused.stderr.contains(why), "{place}, {words:?}: {}", refused.stderr);
            assert!(refused.stderr.contains("atalaya migrate cutover shop-to-18"), "{place}: {}", refused.stderr);
        }
    }

    /// Each key that clients write where they are led to is noted where it comes back to.
    fn assert_noted_on_the_way_back(&self) {
        self.runtime.block_on(async {
            let session = Session::connect(&self.url(), "drawing").await.unwrap();
            let draw = "INSERT INTO ledger.draws SELECT nextval('ledger.drawn') FROM generate_series(1, 25)";
            session.batch(draw).await.unwrap();
        });
        let noted = "SELECT coalesce(sum(keys_count), 0) >= 25 FROM atalaya.touched WHERE name = 'draws'";
        eventually("keys noted", || self.shop.source.run_sql("shop", noted).unwrap().trim() == "t");
    }

    fn reconcile(&self, record: &LedgerRecord, server: &Server) {
        let url = ConnectionUrl::parse(&server.url("shop")).unwrap();
        let found = self.runtime.block_on(async {
            let session = Session::connect(&url, "atalaya reconciling").await.unwrap();
            record.reconcile(&session).await.unwrap()
        });
        assert!(found.is_clean() && found.unknown == 0, "{found:?}");
        assert_eq!(found.committed, record.committed());
    }
}

#[test]
fn a_ledger_is_led_to_the_new_server_and_back_and_no_transaction_fails() {
    let front = Front::between(13, 18);
    let looked = front.ask(&["migrate", "cutover", "shop-to-18", "--dry-run"]);
    assert_eq!(looked.code, Some(0), "{}\n{}", looked.stdout, looked.stderr);

    let run = front.start_clients();
    front.until_committed(&run, 100);
    let rehearsed = front.led(&["migrate", "cutover", "shop-to-18", "--rehearse"]);
    assert_eq!(rehearsed["outcome"], "rehearsed");
    assert!(front.version().starts_with("13."));
    assert_eq!(front.serving(), "source", "a rehearsal leads nobody away");
    front.until_committed(&run, 100);
    let drawn = front.draw();

    let led = front.led(&["migrate", "cutover", "shop-to-18"]);
    assert_eq!(led["outcome"], "flipped");
    assert!(front.version().starts_with("18."));
    assert_eq!(front.serving(), "target");
    assert!(front.draw() > drawn, "a number is given out twice");
    front.until_committed(&run, 300);
    // Nobody gets in at the server that was left.
    let direct = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop", front.shop.source.port());
    let refused = front.runtime.block_on(Session::connect(&ConnectionUrl::parse(&direct).unwrap(), "stray"));
    assert_eq!(refused.err().unwrap().sqlstate(), Some("42501"));
    let again = front.ask(&["migrate", "cutover", "shop-to-18"]);
    assert_eq!(again.code, Some(4), "{}\n{}", again.stdout, again.stderr);

    let back = front.led(&["migrate", "rollback", "shop-to-18"]);
    assert_eq!(back["outcome"], "flipped");
    assert!(front.version().starts_with("13."));
    front.until_committed(&run, 100);
    front.led(&["migrate", "cutover", "shop-to-18"]);
    front.until_committed(&run, 100);
    front.led(&["migrate", "rollback", "shop-to-18"]);
    front.until_committed(&run, 100);

    let record = front.runtime.block_on(run.stop());
    assert_eq!(record.counts.failed, 0, "{:?}", record.errors());
    assert_eq!(record.counts.unknown, 0, "{:?}", record.errors());
    assert!(record.errors().is_empty(), "{:?}", record.errors());
    front.reconcile(&record, &front.shop.source);
    eventually("both sides equal", || Move::digests(&front.shop.source) == Move::digests(&front.shop.target));
    front.reconcile(&record, &front.shop.target);
    let proof = front.ask(&["validate", "shop-to-18"]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
}

/// Where the process that leads clients is killed, and whether they are led away by then.
const KILLED_AT: [(&str, bool); 6] = [
    ("cutover-opened", false),
    ("cutover-armed", false),
    ("cutover-fenced", false),
    ("cutover-flipping", false),
    ("cutover-flipped", true),
    ("cutover-admitted", true),
];

#[test]
fn one_that_is_killed_leaves_one_server_and_the_same_command_goes_on() {
    let front = Front::between(14, 17);
    // Whoever makes the way back does not know that keys are to be noted.
    let made = front.ask(&["migrate", "way-back", "make", "shop-to-18"]);
    assert_eq!(made.code, Some(0), "{}\n{}", made.stdout, made.stderr);
    let run = front.start_clients();
    for (place, is_led) in KILLED_AT {
        front.until_committed(&run, 50);
        let words =
            ["--estate", front.estate().to_str().unwrap(), "migrate", "cutover", "shop-to-18", "--output", "json"]
                .map(str::to_owned);
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--max-pause", "5s"]).collect();
        let killed = ran(front.shop.command(&words).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {}\n{}", killed.stdout, killed.stderr);
        if is_led {
            front.assert_unsettled(place, "the journal says that clients are led to `shop-green`");
        } else if place == "cutover-opened" {
            front.assert_unsettled(place, "is not decided");
        }
        let again = ran(&mut front.shop.command(&words));
        if is_led {
            assert_eq!(again.code, Some(0), "{place}: {}\n{}", again.stdout, again.stderr);
            assert!(again.stdout.contains("\"resumed\":true"), "{place}: {}", again.stdout);
            assert!(front.version().starts_with("17."), "{place}");
            front.until_committed(&run, 50);
            // What an earlier round has found equal there counts for nothing, since nothing was found by this one.
            let compared = "SELECT count(full_lsn), count(*) > 0 FROM atalaya.proof_tables";
            assert_eq!(front.shop.source.run_sql("shop", compared).unwrap().trim(), "0|t", "{place}");
            front.assert_noted_on_the_way_back();
            front.led(&["migrate", "rollback", "shop-to-18"]);
        } else {
            assert_eq!(again.code, Some(1), "{place}: {}\n{}", again.stdout, again.stderr);
            assert!(again.stderr.contains("it was interrupted"), "{place}: {}", again.stderr);
        }
        assert!(front.version().starts_with("14."), "{place}");
    }
    front.until_committed(&run, 50);
    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.reconcile(&record, &front.shop.source);
    eventually("both sides equal", || Move::digests(&front.shop.source) == Move::digests(&front.shop.target));
}
