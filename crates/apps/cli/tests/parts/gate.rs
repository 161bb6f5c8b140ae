//! A gateway of its own process, as on a machine of its own: it reaches journal and servers through proxies.

use std::path::{Path, PathBuf};
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Proxy, Server, eventually, free_port};
use nix::sys::signal::Signal;

use super::ground::PASSWORD;
use super::slowed::Slowed;
use crate::support::{Move, Running, signal};

/// See the module.
pub(super) struct Gate {
    pub(super) port: u16,
    folder: PathBuf,
    admin: String,
    journal: Proxy,
    old: Proxy,
    new: Proxy,
    /// Before the process, which it has to end before.
    slowed: Option<Slowed>,
    running: Option<Running>,
    journal_url: String,
}

impl Gate {
    /// One that does not run yet. `admin` are lines of its estate file.
    pub(super) fn before(shop: &Move, journal: &Server, folder: &Path, admin: &str) -> Self {
        let through = |server: &Server| Proxy::start(server.port()).unwrap();
        let proxy = through(journal);
        let journal_url = proxy.url(&journal.url("postgres"));
        std::fs::create_dir_all(folder).unwrap();
        Self {
            port: free_port().unwrap(),
            folder: folder.into(),
            admin: admin.to_owned(),
            journal: proxy,
            old: through(&shop.source),
            new: through(&shop.target),
            slowed: None,
            running: None,
            journal_url,
        }
    }

    /// Where it is asked on this machine.
    pub(super) fn socket(&self) -> String {
        self.folder.join("gateway.sock").display().to_string()
    }

    pub(super) fn url(&self) -> ConnectionUrl {
        let text = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop?sslmode=disable", self.port);
        ConnectionUrl::parse(&text).unwrap()
    }

    /// Starts it, and waits until it lets clients in, unless it is shut for an epoch.
    pub(super) fn start(&mut self, shop: &Move, verifier: &str) {
        self.running = Some(self.spawn(shop, verifier, &[]));
    }

    /// Starts another one in its place, and waits until the one that was there has ended.
    pub(super) fn replace(&mut self, shop: &Move, verifier: &str) {
        let next = self.spawn(shop, verifier, &["--replace"]);
        let former = self.running.replace(next).unwrap().wait();
        assert_eq!(former.code, Some(0), "{}", former.stderr);
    }

    fn spawn(&self, shop: &Move, verifier: &str, more: &[&str]) -> Running {
        let estate = self.folder.join("atalaya.yaml");
        std::fs::write(&estate, super::ground::estate(self.port, &self.admin, verifier)).unwrap();
        let (old, new) = (self.old.url(&shop.source.url("shop")), self.new.url(&shop.target.url("shop")));
        let socket = self.socket();
        let words = ["--estate", estate.to_str().unwrap(), "--journal", "env:JOURNAL_URL", "gateway", "run"];
        let words = [words.as_slice(), &["--socket", &socket], more].concat();
        let variables =
            [("SOURCE_URL", &*old), ("TARGET_URL", &new), ("JOURNAL_URL", &self.journal_url), ("CLERK", PASSWORD)];
        shop.spawn_words(&words, &variables)
    }

    /// The machine's network is gone: nothing that it sends arrives, and nothing comes.
    pub(super) fn cut_off(&self) {
        for proxy in [&self.journal, &self.old, &self.new] {
            proxy.cut();
        }
    }

    /// Only the journal is out of its reach.
    pub(super) fn cut_off_from_the_journal(&self) {
        self.journal.cut();
    }

    /// The network is back.
    pub(super) fn mend(&self) {
        for proxy in [&self.journal, &self.old, &self.new] {
            proxy.mend();
        }
    }

    /// Whatever journal and servers say to it is so long on its way.
    pub(super) fn answer_after(&self, latency: Duration) {
        for proxy in [&self.journal, &self.old, &self.new] {
            proxy.answer_after(latency);
        }
    }

    /// Its process gets a tenth of the time, until [`Gate::hurry`].
    pub(super) fn slow_down(&mut self) {
        self.slowed = Some(Slowed::process(self.running.as_ref().unwrap().pid()));
    }

    pub(super) fn hurry(&mut self) {
        self.slowed = None;
    }

    pub(super) fn kill(&mut self) {
        self.hurry();
        drop(self.running.take());
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Its process is stopped, and goes on at [`Gate::wake`].
    pub(super) fn freeze(&self) {
        signal(self.running.as_ref().unwrap().pid(), Signal::SIGSTOP);
    }

    pub(super) fn wake(&self) {
        signal(self.running.as_ref().unwrap().pid(), Signal::SIGCONT);
    }

    /// What it has said by now.
    pub(super) fn said(&self) -> String {
        self.running.as_ref().map(Running::stderr).unwrap_or_default()
    }

    /// The first number of the version of the server that a client is served by, who writes there, too; none while nobody is
    /// served.
    pub(super) async fn served_by(&self) -> Option<u16> {
        let session = Session::connect(&self.url(), "looking").await.ok()?;
        session.batch("INSERT INTO ledger.draws DEFAULT VALUES").await.ok()?;
        let row = session.query_one("SELECT current_setting('server_version_num')::int4 / 10000", &[]).await.ok()?;
        u16::try_from(row.get::<_, i32>(0)).ok()
    }
}

/// Waits until a gateway lets clients in.
pub(super) fn until_it_serves(gate: &Gate, runtime: &tokio::runtime::Runtime) {
    eventually("serving", || runtime.block_on(gate.served_by()).is_some());
}
