//! The gateway that the demo's clients connect to, as `atalaya gateway run` serves it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Role, free_port};
use atalaya_verbs::{Event, Group, Program, shown};

use crate::stage::DATABASE;
use crate::{Error, Stage};

/// The role that clients log in as, at the gateway and at both servers.
const CLERK: &str = "clerk";
const ESTATE: &str = "atalaya.yaml";
const SECRET: &str = "secret";
/// How long the gateway may take to listen.
const START_LIMIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// More than clients use at once, so that nobody waits.
const SERVERS_MAX: u16 = 40;

/// A gateway that serves; it ends when this is dropped.
pub(crate) struct Front {
    /// What clients connect to.
    pub(crate) url: ConnectionUrl,
    program: Program,
    _serving: Group,
}

impl Front {
    /// Starts it before the old server.
    pub(crate) async fn open(stage: &Stage, program: &Program) -> Result<Self, Error> {
        let port = free_port()?;
        let clerk = stage.source.create_rds_shaped_role(CLERK, DATABASE)?;
        stage.source.run_sql(DATABASE, &let_work())?;
        stage.target.run_sql(DATABASE, &format!("CREATE ROLE {CLERK} LOGIN PASSWORD '{}'", clerk.password()))?;
        write(stage.folder.path(), SECRET, clerk.password())?;
        write(stage.folder.path(), ESTATE, &estate(stage, &clerk, port))?;
        let arguments = ["gateway", "run"];
        program.narrator.tell(&Event::Command { line: shown(&arguments) });
        let serving = program.spawn(&arguments)?;
        let url = ConnectionUrl::parse(&place(port))?.with_password(clerk.password());
        let listening = async {
            while Session::connect(&url, "atalaya demo").await.is_err() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(START_LIMIT, listening).await.map_err(|_| Error::Ended)?;
        Ok(Self { url, program: program.clone(), _serving: serving })
    }

    /// Leads it to the new server.
    pub(crate) async fn lead_to_target(&self) -> Result<(), Error> {
        for arguments in [["gateway", "pause", DATABASE].as_slice(), &["gateway", "resume", DATABASE, "--to", "new"]] {
            self.program.run(arguments, &[0], |_| ()).await?;
        }
        Ok(())
    }
}

/// What an application's role may do. The move takes it along.
fn let_work() -> String {
    ["ledger", "shop"]
        .map(|schema| {
            format!(
                "GRANT USAGE ON SCHEMA {schema} TO {CLERK};
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {CLERK};
                 GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {CLERK};"
            )
        })
        .concat()
}

fn place(port: u16) -> String {
    format!("postgres://{CLERK}@127.0.0.1:{port}/{DATABASE}?sslmode=disable")
}

/// No password stands in it.
fn estate(stage: &Stage, clerk: &Role, port: u16) -> String {
    let verifier = atalaya_gateway::verifier_of(clerk.password(), 4096);
    format!(
        "estate: demo
databases:
  old: {{ engine: postgres, url: \"{}\" }}
  new: {{ engine: postgres, url: \"{}\" }}
gateway:
  listen: 127.0.0.1:{port}
  users:
    {CLERK}: {{ verifier: \"{verifier}\", secrets: {{ {DATABASE}: \"file:{SECRET}\" }} }}
  databases:
    {DATABASE}: {{ to: old, servers_max: {SERVERS_MAX} }}
",
        place(stage.source.port()),
        place(stage.target.port()),
    )
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let file = options.create_new(true).write(true).mode(0o600).open(&path);
    let failed = |source| Error::File { action: "write", path: path.clone(), source };
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
