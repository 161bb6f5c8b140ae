//! What clients are led by: a migration that follows, and a gateway before it.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use atalaya_sandbox::{client_tools, free_port};
use tokio::runtime::Runtime;

use super::{ACCOUNTS, CLIENTS, RATE, TARGET_MAJOR};
use crate::child::{self, Running};
use crate::error::Error;
use crate::lab::{DATABASE, Lab};

/// The migration.
pub(super) const NAME: &str = "there";
/// The application's role, which owns nothing.
pub(super) const USER: &str = "clerk";
const PASSWORD: &str = "clerks-password";
const LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const RIGHTS: &str = "GRANT USAGE ON SCHEMA ledger TO clerk;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ledger TO clerk";

/// Both processes end with it.
pub(super) struct Front<'a> {
    lab: &'a Lab,
    estate: PathBuf,
    tools: PathBuf,
    port: u16,
    running: Vec<Running>,
}

impl<'a> Front<'a> {
    /// Copies, follows, proves every row once, and takes clients.
    pub(super) fn start(lab: &'a Lab, runtime: &Runtime) -> Result<Self, Error> {
        for server in [&lab.source, &lab.target] {
            server.run_sql(DATABASE, &format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'"))?;
        }
        runtime.block_on(prepare_ledger(lab))?;
        let mut front = Self {
            lab,
            estate: lab.state.path().join("atalaya.yaml"),
            tools: client_tools(TARGET_MAJOR)?,
            port: free_port()?,
            running: Vec::new(),
        };
        let failed = |source| Error::Run { program: "write".to_owned(), source };
        std::fs::write(&front.estate, front.estate_text()?).map_err(failed)?;
        let following = child::background(&mut front.atalaya(&["migrate", "start", NAME]))?;
        front.until_it_follows()?;
        front.prove()?;
        let mut gateway = child::background(front.atalaya(&["gateway", "run"]).env("CLERK", PASSWORD))?;
        gateway.wait_for_port(front.port)?;
        front.running.extend([gateway, following]);
        Ok(front)
    }

    pub(super) const fn lab(&self) -> &Lab {
        self.lab
    }

    /// Our program on this estate.
    pub(super) fn atalaya(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.lab.program);
        command
            .args(words)
            .args(["--output", "json", "--estate"])
            .arg(&self.estate)
            .arg("--state")
            .arg(self.lab.state.path())
            .env("SOURCE_URL", self.lab.source.url(DATABASE))
            .env("TARGET_URL", self.lab.target.url(DATABASE))
            .env("ATALAYA_CLIENT_TOOLS", &self.tools);
        command
    }

    /// Compares every row of both sides.
    pub(super) fn prove(&self) -> Result<(), Error> {
        child::time(&mut self.atalaya(&["validate", NAME])).map(drop)
    }

    /// As the application, through the gateway.
    pub(super) fn clients_url(&self) -> Result<ConnectionUrl, Error> {
        let text = format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{DATABASE}?sslmode=disable", self.port);
        ConnectionUrl::parse(&text).map_err(Error::ledger)
    }

    /// The load, through the gateway.
    pub(super) fn start_clients(&self, runtime: &Runtime) -> Result<LedgerRun, Error> {
        let options = LedgerOptions { clients: CLIENTS, rate: Some(RATE), ..LedgerOptions::new(self.clients_url()?) };
        runtime.block_on(Ledger::start(options)).map_err(Error::ledger)
    }

    fn until_it_follows(&self) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            let said = child::last_line(&mut self.atalaya(&["migrate", "status", NAME])).unwrap_or_default();
            let status: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
            if status.pointer("/activity/caught_up") == Some(&serde_json::Value::Bool(true)) {
                return Ok(());
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(Error::TimedOut { program: "atalaya migrate start".to_owned(), limit: LIMIT })
    }

    fn estate_text(&self) -> Result<String, Error> {
        // What the server keeps instead of the password: who knows the password can log in by it.
        let sql = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{USER}'");
        let verifier = self.lab.source.run_sql(DATABASE, &sql)?;
        Ok(format!(
            "estate: bench
databases:
  {DATABASE}: {{ engine: postgres, url: \"${{SOURCE_URL}}\" }}
  {DATABASE}-new: {{ engine: postgres, url: \"${{TARGET_URL}}\" }}
migrations:
  {NAME}: {{ source: {DATABASE}, target: {DATABASE}-new }}
gateway:
  listen: 127.0.0.1:{}
  users:
    {USER}: {{ verifier: \"{}\", secrets: {{ {DATABASE}: env:CLERK }} }}
  databases:
    {DATABASE}: {{ to: {DATABASE} }}
",
            self.port,
            verifier.trim()
        ))
    }
}

async fn prepare_ledger(lab: &Lab) -> Result<(), Error> {
    let url = ConnectionUrl::parse(&lab.source.url(DATABASE)).map_err(Error::ledger)?;
    let session = Session::connect(&url, "bench").await.map_err(Error::ledger)?;
    Ledger::prepare(&session, LedgerSize { accounts: ACCOUNTS }).await.map_err(Error::ledger)?;
    session.batch(RIGHTS).await.map_err(Error::ledger)
}
