//! The gateway that the demo's clients connect to, as `atalaya gateway run` serves it, and the estate file that it shares
//! with the migration.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Role, free_port};
use atalaya_verbs::{Event, Group, Program, read_lines, shown};

use crate::stage::DATABASE;
use crate::{Error, Stage};

/// What the estate file calls the old server's database; the journal's route is named after it.
pub(crate) const PLACE: &str = DATABASE;
/// What it calls the new one's.
pub(crate) const PLACE_NEW: &str = "shop-new";
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
    _serving: Group,
}

impl Front {
    /// Writes the estate file, and starts a gateway before the old server.
    pub(crate) async fn open(stage: &Stage, program: &Program) -> Result<Self, Error> {
        let port = free_port()?;
        let clerk = stage.source.create_login_role(CLERK)?;
        stage.source.run_sql(DATABASE, &let_work())?;
        stage.target.create_same_role(&clerk)?;
        write(stage.folder.path(), SECRET, clerk.password())?;
        write(stage.folder.path(), ESTATE, &estate(&clerk, port))?;
        let arguments = ["gateway", "run"];
        program.narrator.tell(&Event::Command { line: shown(&arguments) });
        let mut serving = program.spawn(&arguments)?;
        // Somebody must read for as long as it writes, though nobody needs it: clients say what they meet.
        tokio::spawn(read_lines(serving.child.stdout.take(), |_| ()));
        tokio::spawn(read_lines(serving.child.stderr.take(), |_| ()));
        let url = format!("postgres://{CLERK}@127.0.0.1:{port}/{DATABASE}?sslmode=disable");
        let url = ConnectionUrl::parse(&url)?.with_password(clerk.password());
        let listening = async {
            while Session::connect(&url, "atalaya demo").await.is_err() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(START_LIMIT, listening).await.map_err(|_| Error::Ended)?;
        Ok(Self { url, _serving: serving })
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

/// No password stands in it.
fn estate(clerk: &Role, port: u16) -> String {
    let verifier = atalaya_gateway::verifier_of(clerk.password(), 4096);
    format!(
        "estate: demo
databases:
  {PLACE}: {{ engine: postgres, url: \"${{SOURCE_URL}}\" }}
  {PLACE_NEW}: {{ engine: postgres, url: \"${{TARGET_URL}}\" }}
migrations:
  {DATABASE}: {{ source: {PLACE}, target: {PLACE_NEW} }}
gateway:
  listen: 127.0.0.1:{port}
  users:
    {CLERK}: {{ verifier: \"{verifier}\", secrets: {{ {DATABASE}: \"file:{SECRET}\" }} }}
  databases:
    {DATABASE}: {{ to: {PLACE}, servers_max: {SERVERS_MAX} }}
"
    )
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    let file = options.create_new(true).write(true).mode(0o600).open(&path);
    let failed = |source| Error::File { action: "write", path: path.clone(), source };
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
