//! A database that is led from one server to another by the program, with a gateway before it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use atalaya_sandbox::{Role, Server, ServerOptions, client_tools, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Door, gateway, programs};

const DATABASE: &str = "led";
const NAME: &str = "led-to-new";
/// Nothing that is done in the pause takes as long, on a machine that others use, too.
const MAX_PAUSE: &str = "60s";

/// Two servers of their own, whose numbers of types are those of a new cluster, a move that follows, and a gateway. All ends
/// with it.
pub(crate) struct Led {
    pub(crate) source: Server,
    pub(crate) target: Server,
    role: Role,
    port: u16,
    folder: tempfile::TempDir,
    running: Vec<Background>,
}

/// A process that is ended with its owner.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended and been waited for.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// How a command of the program ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The document of one that was done.
    pub(crate) fn document(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// One that stands at a place until it is let go on.
pub(crate) struct Halted(Child);

impl Halted {
    /// Lets it go on to its end.
    pub(crate) fn goes_on(self) -> Said {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGCONT).unwrap();
        said(self.0)
    }
}

fn said(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

impl Led {
    /// Moves what a file of `programs` makes, until it follows and is proven.
    pub(crate) fn between(from: u16, to: u16, file: &str) -> Self {
        let [source, target] = [from, to].map(|major| Server::start(ServerOptions::new(major)).unwrap());
        for server in [&source, &target] {
            server.create_database(DATABASE).unwrap();
        }
        let role = source.create_rds_shaped_role("clerk", DATABASE).unwrap();
        let password = format!("CREATE ROLE clerk LOGIN PASSWORD '{}'", role.password());
        target.run_sql(DATABASE, &password).unwrap();
        source.run_file(DATABASE, &programs().join(file)).unwrap();
        let rights = "GRANT USAGE ON SCHEMA many TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk";
        source.run_sql(DATABASE, rights).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut led = Self { source, target, role, port: gateway::free_port(), folder, running: Vec::new() };
        std::fs::write(led.folder.path().join("atalaya.yaml"), led.estate()).unwrap();
        led.start(&["migrate", "start", NAME]);
        eventually("following", || {
            let said = led.ask(&["migrate", "status", NAME]);
            let status: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
            status["running"] == true && status["activity"]["caught_up"] == true
        });
        led.prove();
        led.start(&["gateway", "run"]);
        eventually("serving", || led.ask(&["gateway", "status"]).code == Some(0));
        led
    }

    /// Where clients connect, in the variables that most clients read.
    pub(crate) fn address(&self, command: &mut Command) {
        let door = Door { port: self.port, authority: None };
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", door.port.to_string())
            .env("PGUSER", self.role.name())
            .env("PGPASSWORD", self.role.password())
            .env("PGDATABASE", DATABASE)
            .env("PGSSLMODE", "disable");
    }

    /// Every row, on both sides.
    pub(crate) fn prove(&self) {
        self.ask(&["validate", NAME]).document();
    }

    /// `cutover` or `rollback`, to its end.
    pub(crate) fn lead(&self, verb: &str, max_pause: &str) -> Said {
        self.ask(&["migrate", verb, NAME, "--max-pause", max_pause])
    }

    /// The same, halted at a failpoint.
    pub(crate) fn halted(&self, verb: &str, place: &str) -> Halted {
        let mut command = self.command(&["migrate", verb, NAME, "--max-pause", MAX_PAUSE]);
        command.env("ATALAYA_FAILPOINT", format!("{place}:1:stop")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        eventually("it is halted", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended before: {:?}", child.wait());
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        });
        Halted(child)
    }

    /// What the gateway says of the database.
    pub(crate) fn gateway(&self) -> Value {
        self.ask(&["gateway", "status"]).document()["databases"][0].clone()
    }

    /// A query's answer, once both sides give the same.
    pub(crate) fn both(&self, sql: &str) -> String {
        let answers = || [&self.source, &self.target].map(|server| server.run_sql(DATABASE, sql).unwrap());
        eventually(sql, || {
            let [old, new] = answers();
            old == new
        });
        let [answer, _] = answers();
        answer
    }

    fn ask(&self, words: &[&str]) -> Said {
        said(self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn start(&mut self, words: &[&str]) {
        let log = std::fs::File::create(self.folder.path().join(format!("{}.log", words[0]))).unwrap();
        let mut command = self.command(words);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.running.push(Background(child));
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(gateway::program());
        command
            .args(words)
            .args(["--output", "json", "--estate"])
            .arg(self.folder.path().join("atalaya.yaml"))
            .arg("--state")
            .arg(self.state())
            .env("SOURCE_URL", self.source.url(DATABASE))
            .env("TARGET_URL", self.target.url(DATABASE))
            .env("ATALAYA_CLIENT_TOOLS", client_tools(self.target.version()).unwrap())
            .env("GATEWAY_PASSWORD", self.role.password())
            .stdin(Stdio::null());
        command
    }

    fn state(&self) -> &Path {
        self.folder.path()
    }

    fn estate(&self) -> String {
        let sql = "SELECT rolpassword FROM pg_authid WHERE rolname = 'clerk'";
        let verifier = self.source.run_sql(DATABASE, sql).unwrap();
        format!(
            "estate: clients
databases:
  old: {{ engine: postgres, url: \"${{SOURCE_URL}}\" }}
  new: {{ engine: postgres, url: \"${{TARGET_URL}}\" }}
migrations:
  {NAME}: {{ source: old, target: new }}
gateway:
  listen: 127.0.0.1:{}
  users:
    clerk: {{ verifier: \"{verifier}\", secrets: {{ {DATABASE}: env:GATEWAY_PASSWORD }} }}
  databases:
    {DATABASE}: {{ to: old }}
",
            self.port
        )
    }
}
