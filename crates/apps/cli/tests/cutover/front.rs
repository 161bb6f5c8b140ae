//! A move of one database or several that follows, a gateway before it, and an application.

use std::path::PathBuf;

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use atalaya_sandbox::{Server, free_port};
use nix::sys::signal::Signal;
use tokio::runtime::Runtime;

use crate::support::{Move, Ran, Running, eventually, ran, signal, verifier};

pub(crate) const PASSWORD: &str = "clerks-password";
/// Long enough for servers that share a machine with other tests.
pub(crate) const MAX_PAUSE: &str = "20s";

/// A database that moves, by its name in the estate and on both servers.
#[derive(Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) name: &'static str,
    /// Whether it moves from the target to the source.
    pub(crate) crosses: bool,
}

impl Moved {
    pub(crate) const SHOP: Self = Self { name: "shop", crosses: false };
}

/// Which gateways lead clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gateways {
    /// One of all databases.
    One,
    /// One for each, as on machines of their own; the journal is in a Postgres.
    Each,
}

/// Who makes the target's schema.
#[derive(Clone, Copy)]
enum Schema<'a> {
    /// The move.
    Moved,
    /// It is there already, with something more beside it.
    There(&'a str),
}

/// A gateway.
struct Door {
    databases: Vec<Moved>,
    /// Further names that lead to `shop`, each with settings of its own.
    others: &'static [(&'static str, &'static str)],
    port: u16,
    state: PathBuf,
    running: Option<Running>,
}

impl Door {
    fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.databases.iter().map(|moved| moved.name).chain(self.others.iter().map(|(name, _)| *name))
    }
}

/// See the module.
pub(crate) struct Front {
    pub(crate) shop: Move,
    databases: Vec<Moved>,
    pub(crate) runtime: Runtime,
    /// Where the journal is, unless it is in the folder for local state.
    journal: Option<String>,
    /// Further arguments of `migrate start`.
    start: &'static [&'static str],
    doors: Vec<Door>,
    running: Vec<Running>,
}

impl Front {
    /// With one database, which is proven.
    pub(crate) fn between(from: u16, to: u16) -> Self {
        let front = Self::of(&[Moved::SHOP], from, to);
        front.prove("shop");
        front
    }

    /// With these behind one gateway, of which nothing is proven yet; `shop` is one of them.
    pub(crate) fn of(databases: &[Moved], from: u16, to: u16) -> Self {
        Self::behind(Gateways::One, databases, from, to)
    }

    /// The same behind other gateways.
    pub(crate) fn behind(gateways: Gateways, databases: &[Moved], from: u16, to: u16) -> Self {
        Self::made(Move::between(from, to), gateways, databases, &[], Schema::Moved, "")
    }

    /// With one database between given servers, as the roles of the move's URLs, which is proven. The gateway has `others` to lead to it, too, and `sql` is run
    /// before the move begins.
    pub(crate) fn before(shop: Move, others: &'static [(&'static str, &'static str)], sql: &str) -> Self {
        let front = Self::made(shop, Gateways::One, &[Moved::SHOP], others, Schema::Moved, sql);
        front.prove("shop");
        front
    }

    /// With one database whose schema is on the target already, as `sql` makes it on both sides and `more` on the target alone;
    /// it is proven.
    pub(crate) fn over(shop: Move, sql: &str, more: &str) -> Self {
        let front = Self::made(shop, Gateways::One, &[Moved::SHOP], &[], Schema::There(more), sql);
        front.prove("shop");
        front
    }

    fn made(
        shop: Move,
        gateways: Gateways,
        databases: &[Moved],
        others: &'static [(&'static str, &'static str)],
        schema: Schema<'_>,
        sql: &str,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        for server in [&shop.source, &shop.target] {
            server.run_sql("shop", &format!("CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")).unwrap();
            for moved in databases.iter().filter(|moved| moved.name != "shop") {
                server.create_database(moved.name).unwrap();
            }
        }
        let state = shop.state().to_owned();
        let door = |databases: &[Moved], state| Door {
            databases: databases.to_vec(),
            others,
            port: free_port().unwrap(),
            state,
            running: None,
        };
        let (journal, doors) = match gateways {
            Gateways::One => (None, vec![door(databases, state)]),
            Gateways::Each => {
                shop.source.create_database("journal").unwrap();
                let doors = databases.iter().map(|moved| door(&[*moved], state.join(moved.name)));
                (Some(shop.source.url("journal")), doors.collect())
            }
        };
        let start: &[&str] = if matches!(schema, Schema::Moved) { &[] } else { &["--existing-schema"] };
        let databases = databases.to_vec();
        let mut front = Self { shop, databases, runtime, journal, start, doors, running: Vec::new() };
        front.doors.iter().for_each(|door| front.write_estate(door));
        for moved in front.databases.clone() {
            front.prepare_ledger(moved);
            if moved.name == "shop" {
                front.shop.source.run_sql("shop", sql).unwrap();
            }
            if let Schema::There(more) = schema {
                front.prepare_schema(sql, more);
            }
            let running = front.start(moved.name);
            front.running.push(running);
        }
        front.open_doors();
        for moved in &front.databases {
            let url = front.url(moved.name);
            eventually("serving", || front.runtime.block_on(Session::connect(&url, "waiting")).is_ok());
        }
        front
    }

    fn open_doors(&mut self) {
        let state = self.shop.state.clone();
        for place in 0..self.doors.len() {
            self.shop.state.clone_from(&self.doors[place].state);
            let running = self.spawn(&["gateway", "run"], &[("CLERK", PASSWORD)]);
            self.doors[place].running = Some(running);
        }
        self.shop.state = state;
    }

    /// The gateways, as a command names them.
    pub(crate) fn sockets(&self) -> Vec<String> {
        self.doors.iter().map(|door| door.state.join("gateway.sock").to_str().unwrap().to_owned()).collect()
    }

    fn start(&self, database: &str) -> Running {
        let migration = format!("{database}-to-18");
        let mut running = self.spawn(&[&["migrate", "start", &migration], self.start].concat(), &[]);
        eventually("following", || {
            running.assert_alive();
            let ran = self.ask(&["migrate", "status", &migration, "--output", "json"]);
            let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
            status["running"] == true && status["activity"]["caught_up"] == true
        });
        running
    }

    /// Kills what follows, as a machine does that loses its power.
    pub(crate) fn kill_runs(&mut self) {
        for running in self.running.drain(..) {
            signal(running.pid(), Signal::SIGKILL);
        }
    }

    /// Starts all of it again.
    pub(crate) fn run_again(&mut self) {
        self.running = self.databases.iter().map(|moved| self.start(moved.name)).collect();
    }

    /// What those that follow have said by now.
    pub(crate) fn said_by_runs(&self) -> String {
        self.running.iter().map(Running::stderr).collect()
    }

    pub(crate) fn prove(&self, database: &str) {
        let proven = self.ask(&["validate", &format!("{database}-to-18")]);
        assert_eq!(proven.code, Some(0), "{}\n{}", proven.stdout, proven.stderr);
    }

    /// Where a database moves from, and where to.
    pub(crate) fn sides(&self, database: &str) -> (&Server, &Server) {
        let crosses = self.databases.iter().any(|moved| moved.name == database && moved.crosses);
        if crosses { (&self.shop.target, &self.shop.source) } else { (&self.shop.source, &self.shop.target) }
    }

    fn is_source(&self, server: &Server) -> bool {
        server.port() == self.shop.source.port()
    }

    /// The gateway's.
    pub(crate) fn url(&self, database: &str) -> ConnectionUrl {
        let leads = |door: &&Door| door.names().any(|name| name == database);
        let port = self.doors.iter().find(leads).unwrap().port;
        let text = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{port}/{database}?sslmode=disable");
        ConnectionUrl::parse(&text).unwrap()
    }

    /// The estate file that commands are given.
    pub(crate) fn estate(&self) -> PathBuf {
        self.shop.state().join("atalaya.yaml")
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Ran {
        let journal = self.journal.as_deref().unwrap_or_default();
        ran(self.shop.command(&strings(&self.words(words))).env("JOURNAL_URL", journal))
    }

    pub(crate) fn spawn(&self, words: &[&str], variables: &[(&str, &str)]) -> Running {
        let journal = self.journal.as_deref().unwrap_or_default();
        self.shop.spawn_words(&strings(&self.words(words)), &[variables, &[("JOURNAL_URL", journal)]].concat())
    }

    /// With the estate file and the journal.
    fn words(&self, words: &[&str]) -> Vec<String> {
        let estate = self.estate().to_str().unwrap().to_owned();
        let mut all = vec!["--estate".to_owned(), estate];
        if self.journal.is_some() {
            all.extend(["--journal".to_owned(), "env:JOURNAL_URL".to_owned()]);
        }
        all.extend(words.iter().map(|word| (*word).to_owned()));
        all
    }

    fn write_estate(&self, door: &Door) {
        let verifier = verifier(PASSWORD);
        let each = |line: &dyn Fn(&Moved) -> String| self.databases.iter().map(line).collect::<String>();
        let places = each(&|moved| {
            let (name, (source, target)) = (moved.name, self.sides(moved.name));
            let url = |server: &Server| match name {
                "shop" => format!("${{{}}}", if self.is_source(server) { "SOURCE_URL" } else { "TARGET_URL" }),
                name => server.url(name),
            };
            let (source, target) = (url(source), url(target));
            format!(
                "  {name}: {{ engine: postgres, url: \"{source}\" }}
  {name}-green: {{ engine: postgres, url: \"{target}\" }}
"
            )
        });
        let migrations = each(&|moved| {
            let name = moved.name;
            format!("  {name}-to-18: {{ source: {name}, target: {name}-green }}\n")
        });
        let secrets: Vec<_> = door.names().map(|name| format!("{name}: env:CLERK")).collect();
        let led = door.databases.iter().map(|moved| format!("    {0}: {{ to: {0} }}\n", moved.name));
        let others = door.others.iter().map(|(name, more)| format!("    {name}: {{ to: shop{more} }}\n"));
        let led: String = led.chain(others).collect();
        let estate = format!(
            "estate: shop
databases:
{places}migrations:
{migrations}gateway:
  listen: 127.0.0.1:{}
  users:
    clerk: {{ verifier: \"{}\", secrets: {{ {} }} }}
  databases:
{led}",
            door.port,
            verifier,
            secrets.join(", "),
        );
        for folder in [&door.state, &self.shop.state] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join("atalaya.yaml"), &estate).unwrap();
        }
    }

    fn prepare_ledger(&self, moved: Moved) {
        let source = self.sides(moved.name).0;
        let url = match moved.name {
            "shop" if self.is_source(source) => self.shop.source_url.clone(),
            "shop" => self.shop.target_url.clone(),
            name => source.url(name),
        };
        self.make_ledger(&url);
    }

    /// The same tables on the target, without a row.
    fn prepare_schema(&self, sql: &str, more: &str) {
        self.make_ledger(&self.shop.target_url);
        let sql = format!("TRUNCATE ledger.account CASCADE; {sql}; {more}");
        self.shop.target.run_sql("shop", &sql).unwrap();
    }

    fn make_ledger(&self, url: &str) {
        let url = ConnectionUrl::parse(url).unwrap();
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

    pub(crate) fn start_clients(&self, database: &str) -> LedgerRun {
        let options = LedgerOptions { clients: 12, rate: Some(150), ..LedgerOptions::new(self.url(database)) };
        self.runtime.block_on(Ledger::start(options)).unwrap()
    }

    pub(crate) fn until_committed(&self, run: &LedgerRun, more: u64) {
        let before = run.counts().committed;
        eventually("clients at work", || run.counts().committed >= before + more);
    }
}

fn strings(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
