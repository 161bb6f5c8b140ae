//! A move that follows, its journal on a server of its own, gateways before it, and an application behind each of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use atalaya_cutover::Report;
use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Store};
use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use atalaya_route::{Decision, Routes, Standing};
use atalaya_sandbox::{Proxy, Server, ServerOptions, eventually, free_port};
use tokio::runtime::Runtime;

use super::gate::{Gate, until_it_serves};
use crate::support::{Move, Ran, Running, ran, verifier};

pub(super) const PASSWORD: &str = "clerks-password";
/// Longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(170);
/// Both know the same settings: what a client has set at the newer one can be set at the older one, too.
pub(super) const OLD: u16 = 17;
pub(super) const NEW: u16 = 18;
/// The course of a cutover, and that of a rollback.
pub(super) const THERE: &[&str] = &["migrate", "cutover", "shop-to-18"];
pub(super) const BACK: &[&str] = &["migrate", "rollback", "shop-to-18"];
pub(super) const REHEARSAL: &[&str] = &["migrate", "cutover", "shop-to-18", "--rehearse"];

/// See the module.
pub(super) struct Parts {
    pub(super) shop: Move,
    pub(super) journal: Server,
    /// Between the journal and everything but gateways.
    pub(super) to_journal: Proxy,
    pub(super) gates: Vec<Gate>,
    pub(super) runtime: Runtime,
    pub(super) following: Option<Running>,
    pub(super) runs: Vec<LedgerRun>,
    verifier: String,
    /// How gateways are named to a coordinator.
    pub(super) naming: Vec<String>,
}

/// The estate file of a part.
pub(super) fn estate(port: u16, admin: &str, verifier: &str) -> String {
    format!(
        "estate: shop
databases:
  shop: {{ engine: postgres, url: \"${{SOURCE_URL}}\" }}
  shop-green: {{ engine: postgres, url: \"${{TARGET_URL}}\" }}
migrations:
  shop-to-18: {{ source: shop, target: shop-green }}
gateway:
  listen: 127.0.0.1:{port}
{admin}  users:
    clerk: {{ verifier: \"{verifier}\", secrets: {{ shop: env:CLERK }} }}
  databases:
    shop: {{ to: shop, wait_seconds: 150 }}
"
    )
}

impl Parts {
    /// With so many gateways, asked over their sockets.
    pub(super) fn with_gateways(count: usize) -> Self {
        Self::with_administration(&vec![String::new(); count], &[])
    }

    /// With a gateway for each of these lines of an estate file; `naming` is how a coordinator names them, by their sockets
    /// where it is empty.
    pub(super) fn with_administration(admins: &[String], naming: &[String]) -> Self {
        let shop = Move::between(OLD, NEW);
        let journal = Server::start(ServerOptions::new(NEW)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        for server in [&shop.source, &shop.target] {
            server.run_sql("shop", &format!("CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")).unwrap();
        }
        let to_journal = Proxy::start(journal.port()).unwrap();
        let gate = |(number, admin): (usize, &String)| {
            Gate::before(&shop, &journal, &shop.state().join(format!("gateway-{number}")), admin)
        };
        let gates: Vec<Gate> = admins.iter().enumerate().map(gate).collect();
        let naming = match naming.is_empty() {
            true => gates.iter().flat_map(|gate| ["--gateway".to_owned(), gate.socket()]).collect(),
            false => naming.to_vec(),
        };
        let (following, runs, verifier) = (None, Vec::new(), verifier(PASSWORD));
        let mut parts = Self { shop, journal, to_journal, gates, runtime, following, runs, verifier, naming };
        let mine = estate(free_port().unwrap(), "", &parts.verifier);
        std::fs::write(parts.estate(), mine).unwrap();
        parts.prepare_ledger();
        parts.follow();
        parts.prove();
        for number in 0..parts.gates.len() {
            parts.start_gate(number);
        }
        for gate in &parts.gates {
            until_it_serves(gate, &parts.runtime);
        }
        parts
    }

    fn estate(&self) -> PathBuf {
        self.shop.state().join("atalaya.yaml")
    }

    fn prepare_ledger(&self) {
        let url = ConnectionUrl::parse(&self.shop.source_url).unwrap();
        self.runtime.block_on(async {
            let session = Session::connect(&url, "ledger").await.unwrap();
            Ledger::prepare(&session, LedgerSize { accounts: 100 }).await.unwrap();
            let sql = "CREATE TABLE ledger.draws (id serial PRIMARY KEY);
                GRANT USAGE ON SCHEMA ledger TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA ledger TO clerk;
                GRANT ALL ON ALL SEQUENCES IN SCHEMA ledger TO clerk";
            session.batch(sql).await.unwrap();
        });
    }

    pub(super) fn start_gate(&mut self, number: usize) {
        self.gates[number].start(&self.shop, &self.verifier);
    }

    pub(super) fn replace_gate(&mut self, number: usize) {
        self.gates[number].replace(&self.shop, &self.verifier);
    }

    /// Has the move follow, again where it had ended.
    pub(super) fn follow(&mut self) {
        self.following = None;
        let mut running = self.spawn(&["migrate", "start", "shop-to-18"], "");
        eventually("following", || {
            running.assert_alive();
            running.stderr().contains("\"event\":\"caught_up\"")
        });
        self.following = Some(running);
    }

    /// Every row is proven equal, once the move follows: what a fault has cut off is on its way.
    pub(super) fn prove(&self) {
        eventually("proven equal", || {
            let proof = self.ask(&["validate", "shop-to-18"]);
            let said = format!("{:?} {}\n{}", proof.code, proof.stdout, proof.stderr);
            assert!(proof.code == Some(0) || proof.stderr.contains("does not run"), "{said}");
            proof.code == Some(0)
        });
    }

    /// Has the move follow where a fault has ended that.
    pub(super) fn go_on_following(&mut self) {
        if !self.following.as_mut().unwrap().is_running() {
            self.follow();
        }
    }

    /// Waits until a course can be taken: what a fault has cut off is connected again.
    pub(super) fn until_ready_for(&mut self, words: &[&str]) {
        self.go_on_following();
        let looking = self.course(words, "20s").into_iter().chain(["--dry-run"]).collect::<Vec<_>>();
        eventually("nothing forbids it", || self.ask(&looking).code == Some(0));
    }

    fn words<'a>(&'a self, estate: &'a str, words: &[&'a str]) -> Vec<&'a str> {
        [&["--estate", estate, "--journal", "env:JOURNAL_URL"], words].concat()
    }

    /// Runs a command to its end.
    pub(super) fn ask(&self, words: &[&str]) -> Ran {
        self.ask_until("", words)
    }

    /// Runs a command until it is killed at a place, or to its end.
    pub(super) fn ask_until(&self, place: &str, words: &[&str]) -> Ran {
        let estate = self.estate().display().to_string();
        let mut command = self.shop.command(&self.words(&estate, words));
        ran(command.env("JOURNAL_URL", self.journal_url()).env("ATALAYA_FAILPOINT", place))
    }

    /// Starts a command, and leaves it running; a place with `:1:stop` halts it there.
    pub(super) fn spawn(&self, words: &[&str], place: &str) -> Running {
        let estate = self.estate().display().to_string();
        let variables = [("JOURNAL_URL", self.journal_url()), ("ATALAYA_FAILPOINT", place.to_owned())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.shop.spawn_words(&self.words(&estate, words), &variables)
    }

    fn journal_url(&self) -> String {
        self.to_journal.url(&self.journal.url("postgres"))
    }

    /// The words of a course, with every gateway.
    pub(super) fn course<'a>(&'a self, words: &[&'a str], max_pause: &'a str) -> Vec<&'a str> {
        let naming = self.naming.iter().map(String::as_str);
        words.iter().copied().chain(naming).chain(["--max-pause", max_pause, "--output", "json"]).collect()
    }

    /// Takes a course that must succeed.
    pub(super) fn lead(&self, words: &[&str]) {
        let done = self.ask(&self.course(words, "20s"));
        assert_eq!(done.code, Some(0), "{words:?}: {}\n{}", done.stdout, done.stderr);
    }

    /// An application behind each gateway.
    pub(super) fn start_clients(&mut self) {
        for gate in &self.gates {
            let options = LedgerOptions { clients: 3, rate: Some(30), ..LedgerOptions::new(gate.url()) };
            let options = LedgerOptions { transaction_timeout: PATIENCE, outage_max: PATIENCE, ..options };
            self.runs.push(self.runtime.block_on(Ledger::start(options)).unwrap());
        }
    }

    /// Waits until everybody has written so much more.
    pub(super) fn until_committed(&self, more: u64) {
        self.until_committed_behind(|_| true, more);
    }

    /// The same of those behind these gateways.
    pub(super) fn until_committed_behind(&self, gates: impl Fn(usize) -> bool, more: u64) {
        let before: Vec<u64> = self.runs.iter().map(|run| run.counts().committed).collect();
        for (number, (run, before)) in self.runs.iter().zip(before).enumerate().filter(|(number, _)| gates(*number)) {
            let said = || format!("gateway {number}: {:?}\n{}", run.counts(), self.gates[number].said());
            let end = Instant::now() + PATIENCE;
            while run.counts().committed < before + more {
                assert!(Instant::now() < end, "clients do not work behind {}", said());
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// The routes as whoever has the journal's own address reads them.
    pub(super) fn routes<T>(&self, read: impl AsyncFnOnce(&Routes) -> T) -> T {
        let url = ConnectionUrl::parse(&self.journal.url("postgres")).unwrap();
        self.runtime.block_on(async {
            let store = Store::open_postgres(&url, Options::default()).await.unwrap();
            let answer = read(&Routes::new(store.clone())).await;
            store.close().await;
            answer
        })
    }

    pub(super) fn standing(&self) -> Standing {
        self.routes(async |routes| routes.standing("shop").await.unwrap())
    }

    /// Where clients are led by what was decided.
    pub(super) fn led_to(&self) -> u16 {
        let led = self.standing().leads_to;
        if led.is_some_and(|led| led.to == "shop-green") { NEW } else { OLD }
    }

    /// What the newest epoch came to, once that is written down.
    pub(super) fn last_report(&self) -> Option<Report> {
        let report = self.routes(async |routes| Report::last(routes.store(), "shop").await.unwrap());
        report.filter(|report| report.epoch == self.standing().last_epoch)
    }

    pub(super) fn decision(&self, epoch: u64) -> Option<Decision> {
        self.routes(async |routes| routes.epoch("shop", epoch).await.unwrap().unwrap().1)
    }

    /// Every gateway that runs serves clients by one server, who write there; the epoch is decided, and where they were led
    /// away from nobody gets in.
    pub(super) fn assert_served_by(&self, version: u16, what: &str) {
        for (number, gate) in self.gates.iter().enumerate().filter(|(_, gate)| gate.is_running()) {
            eventually(&format!("{what}: gateway {number} serves by {version}:\n{}", gate.said()), || {
                self.runtime.block_on(gate.served_by()) == Some(version)
            });
        }
        let standing = self.standing();
        assert!(standing.open.is_none(), "{what}: {standing:?}");
        assert_eq!(self.led_to(), version, "{what}: {standing:?}");
        let (here, there) = match version {
            OLD => (&self.shop.source, &self.shop.target),
            _ => (&self.shop.target, &self.shop.source),
        };
        assert!(self.is_let_in(here), "{what}: nobody gets in at {version}");
        // Before anybody was led anywhere the other one is open, and nobody is told of it.
        if standing.leads_to.is_some() {
            assert!(!self.is_let_in(there), "{what}: two servers are written to");
        }
    }

    /// A transaction on the new server that has begun and stays open: making the slot of the way back waits for it.
    pub(super) fn open_transaction(&self) -> Session {
        let url = ConnectionUrl::parse(&self.shop.target.url("shop")).unwrap();
        self.runtime.block_on(async {
            let session = Session::connect(&url, "somebody's report").await.unwrap();
            session.batch("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
            session
        })
    }

    /// Whether the application's role gets in at a server, past the gateways.
    fn is_let_in(&self, server: &Server) -> bool {
        let text = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop?sslmode=disable", server.port());
        match self.runtime.block_on(Session::connect(&ConnectionUrl::parse(&text).unwrap(), "stray")) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.sqlstate(), Some("42501"), "{error:?}");
                false
            }
        }
    }
}
