//! Two servers, one migration, and the built program.

use std::io::Write;
use std::process::{Child, Command, Stdio};

pub(crate) use atalaya_sandbox::eventually;
use atalaya_sandbox::{Server, ServerOptions, client_tools};
use nix::sys::signal::Signal;

/// A migration named `shop` between two servers of given versions.
pub(crate) struct Move {
    pub(crate) source: Server,
    pub(crate) target: Server,
    pub(crate) source_url: String,
    pub(crate) target_url: String,
    /// A standby's, for `--snapshot-from env:STANDBY_URL`.
    pub(crate) standby_url: String,
    /// The folder for local state; in `own_state` unless a test says otherwise.
    pub(crate) state: std::path::PathBuf,
    _own_state: tempfile::TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: &std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            signal: std::os::unix::process::ExitStatusExt::signal(&output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Move {
    /// Starts both servers, each with an empty database `shop`.
    pub(crate) fn between(from: u16, to: u16) -> Self {
        Self::with(ServerOptions::new(from), ServerOptions::new(to))
    }

    pub(crate) fn with(from: ServerOptions, to: ServerOptions) -> Self {
        let (source, target) = (Server::start(from).unwrap(), Server::start(to).unwrap());
        source.create_database("shop").unwrap();
        target.create_database("shop").unwrap();
        let (source_url, target_url) = (source.url("shop"), target.url("shop"));
        let own_state = tempfile::tempdir().unwrap();
        let (standby_url, state) = (String::new(), own_state.path().into());
        Self { source, target, source_url, target_url, standby_url, state, _own_state: own_state }
    }

    /// The folder of the program's local state.
    pub(crate) fn state(&self) -> &std::path::Path {
        &self.state
    }

    /// The program with this migration's surroundings; no URL in its arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atalaya"));
        command
            .args(arguments)
            .arg("--state")
            .arg(&self.state)
            .env("SOURCE_URL", &self.source_url)
            .env("TARGET_URL", &self.target_url)
            .env("STANDBY_URL", &self.standby_url)
            .env("ATALAYA_CLIENT_TOOLS", client_tools(self.target.version()).unwrap())
            .env_remove("PGPASSFILE")
            .stdin(Stdio::null());
        command
    }

    /// Arguments of a verb of `migrate` for this migration.
    pub(crate) fn migrate<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        Self::named("shop", verb, more)
    }

    /// The same for a migration of another name.
    pub(crate) fn named<'a>(name: &'a str, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments =
            vec!["migrate", verb, "--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--name", name];
        arguments.extend_from_slice(more);
        arguments
    }

    /// Runs a verb of `migrate` to its end.
    pub(crate) fn run(&self, verb: &str, more: &[&str]) -> Ran {
        ran(&mut self.command(&Self::migrate(verb, more)))
    }

    /// Runs a verb of `migrate` that must succeed.
    pub(crate) fn done(&self, verb: &str, more: &[&str]) -> String {
        let ran = self.run(verb, more);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Starts a verb of `migrate` and leaves it running.
    pub(crate) fn spawn(&self, verb: &str, more: &[&str]) -> Running {
        self.spawn_with(verb, more, &[])
    }

    /// The same with further variables in its environment.
    pub(crate) fn spawn_with(&self, verb: &str, more: &[&str], variables: &[(&str, &str)]) -> Running {
        self.spawn_words(&Self::migrate(verb, more), variables)
    }

    /// Starts the program with these words and leaves it running.
    pub(crate) fn spawn_words(&self, words: &[&str], variables: &[(&str, &str)]) -> Running {
        let (stdout, stderr) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        let child = self
            .command(words)
            .envs(variables.iter().copied())
            .stdout(stdout.reopen().unwrap())
            .stderr(stderr.reopen().unwrap())
            .spawn()
            .unwrap();
        Running { child, stdout, stderr }
    }

    /// Starts the migration and waits until it has caught up and goes on.
    pub(crate) fn follow(&self, more: &[&str]) -> Running {
        let mut running = self.spawn("start", more);
        self.wait_until_following(&mut running);
        running
    }

    /// Waits until a run has caught up and goes on.
    pub(crate) fn wait_until_following(&self, running: &mut Running) {
        eventually("following", || {
            running.assert_alive();
            // The status still says so of an earlier run, so this one must have said it, too.
            running.stderr().contains("\"event\":\"caught_up\"") && self.follows()
        });
    }

    /// Runs `atalaya validate` on this migration.
    pub(crate) fn validate(&self, more: &[&str]) -> Ran {
        ran(&mut self.command(&Self::proof(more)))
    }

    /// Arguments of `validate` for this migration.
    pub(crate) fn proof<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments =
            vec!["validate", "--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--name", "shop"];
        arguments.extend_from_slice(more);
        arguments
    }

    /// Whether some run has caught up, and one goes on.
    pub(crate) fn follows(&self) -> bool {
        let ran = self.run("status", &["--output", "json"]);
        ran.code == Some(0) && {
            let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            status["running"] == true && status["activity"]["caught_up"] == true
        }
    }

    /// The migration's status.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.done("status", &["--output", "json"])).unwrap()
    }

    /// Every table's row count and digest, as psql sees them: no code of the program's own.
    pub(crate) fn digests(server: &Server) -> Vec<String> {
        let tables = server
            .run_sql(
                "shop",
                "SET search_path = ''; SET statement_timeout = 0; SET quote_all_identifiers = off;
                 SELECT format('%I.%I', n.nspname, c.relname) COLLATE \"C\" FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                  WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema', 'atalaya')
                  ORDER BY 1",
            )
            .unwrap();
        tables
            .lines()
            .map(|table| {
                let sql = format!(
                    "SET search_path = ''; SET statement_timeout = 0; SET extra_float_digits = 3; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
                     SET bytea_output = 'hex'; SET lc_monetary = 'C';
                     SELECT count(*) || ' ' || coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::int8), 0)
                       FROM {table} t"
                );
                let answer = server.run_sql("shop", &sql).unwrap();
                format!("{table} {}", answer.lines().last().unwrap_or_default())
            })
            .collect()
    }

    /// Asserts that both sides hold the same rows.
    pub(crate) fn assert_equal(&self) {
        let (source, target) = (Self::digests(&self.source), Self::digests(&self.target));
        assert!(!source.is_empty());
        assert_eq!(source, target);
    }
}

/// A run of the program that goes on; ended when dropped.
///
/// What it says goes to files: a full pipe would stop it.
pub(crate) struct Running {
    child: Child,
    stdout: tempfile::NamedTempFile,
    stderr: tempfile::NamedTempFile,
}

impl Running {
    /// Waits for its end; not for ever.
    pub(crate) fn wait(mut self) -> Ran {
        eventually("the run's end", || !self.is_running());
        self.end()
    }

    fn end(&mut self) -> Ran {
        let status = self.child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        Ran { code: status.code(), signal, stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }

    /// What it has said on stdout by now.
    pub(crate) fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has said on stderr by now.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Panics with what it said when it has ended.
    pub(crate) fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the run ended with {status}:\n{}\n{}", read(&self.stdout), read(&self.stderr));
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Waits until a failpoint has halted it.
    pub(crate) fn wait_for_halt(&mut self) {
        eventually("halted at a failpoint", || {
            if !self.is_running() {
                panic!("it ended before it came to its failpoint: {:?}", self.end());
            }
            self.is_halted()
        });
    }

    /// Whether a failpoint has halted it, as /proc says.
    pub(crate) fn is_halted(&self) -> bool {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        text.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    }

    /// Lets it go on after a halt.
    pub(crate) fn go_on(&self) {
        signal(self.pid(), Signal::SIGCONT);
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

fn read(file: &tempfile::NamedTempFile) -> String {
    String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended and been waited for.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Sends a signal to a process that must be there.
pub(crate) fn signal(pid: i32, signal: Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// Runs a command to its end.
pub(crate) fn ran(command: &mut Command) -> Ran {
    Ran::of(&command.output().unwrap())
}

/// What the program makes of a password for the estate file of a gateway.
pub(crate) fn verifier(password: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_atalaya"))
        .args(["gateway", "verifier"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}
