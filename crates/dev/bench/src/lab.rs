//! What every figure stands on: two durable servers, of one version but for one figure, and the programs that are measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use atalaya_sandbox::{Server, ServerOptions, client_tools};

use crate::error::Error;

/// The version of the servers, and of the client tools that peers find on PATH.
pub(crate) const MAJOR: u16 = 15;
/// The database of a figure, on both sides.
pub(crate) const DATABASE: &str = "bench";
const PROGRAM: &str = "atalaya";

/// Settings of both servers: checkpoints come when a figure asks for one, not in the middle of a run, and nothing
/// vacuums by itself. Durability is as it comes: fsync, full_page_writes and synchronous_commit are on.
const SETTINGS: [(&str, &str); 7] = [
    // The lag is read from both servers' own times of commit.
    ("track_commit_timestamp", "on"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("maintenance_work_mem", "256MB"),
    ("autovacuum", "off"),
    ("max_worker_processes", "16"),
];

/// Two servers and where programs are.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) source: Server,
    pub(crate) target: Server,
    /// Our program.
    pub(crate) program: PathBuf,
    /// psql, pgbench, pg_dump and pg_restore.
    pub(crate) tools: PathBuf,
    /// What our program keeps for itself.
    pub(crate) state: tempfile::TempDir,
}

impl Lab {
    /// Starts both servers with the figure's own settings, each with the empty database; the target is of a version of
    /// its own.
    pub(crate) fn open(program: &Path, target_major: u16, own: &[(&'static str, &'static str)]) -> Result<Self, Error> {
        let start = |major| {
            let options = SETTINGS
                .iter()
                .chain(own)
                .fold(ServerOptions::new(major).durable(), |options, (name, value)| options.setting(*name, *value));
            let server = Server::start(options)?;
            server.create_database(DATABASE)?;
            Ok::<_, Error>(server)
        };
        let failed = |source| Error::Run { program: "mkdir".to_owned(), source };
        Ok(Self {
            source: start(MAJOR)?,
            target: start(target_major)?,
            program: program.to_owned(),
            tools: client_tools(MAJOR)?,
            state: tempfile::tempdir().map_err(failed)?,
        })
    }

    /// Our program with both URLs in its environment; arguments follow.
    pub(crate) fn atalaya(&self, target_database: &str, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .args(["--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--output", "json", "--state"])
            .arg(self.state.path())
            .env("SOURCE_URL", self.source.url(DATABASE))
            .env("TARGET_URL", self.target.url(target_database));
        command
    }

    /// A verb of a migration of that name.
    pub(crate) fn migrate(&self, verb: &str, name: &str, target_database: &str, words: &[&str]) -> Command {
        let mut command = self.atalaya(target_database, &["migrate", verb, "--name", name]);
        command.args(words);
        command
    }

    /// A tool of the servers' own version.
    pub(crate) fn tool(&self, name: &str) -> Command {
        Command::new(self.tools.join(name))
    }

    /// A tool that connects to a server's database.
    pub(crate) fn tool_at(&self, name: &str, server: &Server, database: &str) -> Command {
        self.tool_through(name, server, server.port(), database)
    }

    /// The same by another port, where something stands before the server and takes the same password.
    pub(crate) fn tool_through(&self, name: &str, server: &Server, port: u16, database: &str) -> Command {
        let mut command = self.tool(name);
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", port.to_string())
            .env("PGUSER", server.superuser().name())
            .env("PGPASSWORD", server.superuser().password())
            .env("PGDATABASE", database);
        command
    }

    /// Both servers' dirty pages are written, so that no run pays for the one before.
    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        self.source.run_sql(DATABASE, "CHECKPOINT")?;
        self.target.run_sql(DATABASE, "CHECKPOINT")?;
        Ok(())
    }

    /// Makes the target's database anew, empty.
    pub(crate) fn empty_target(&self) -> Result<(), Error> {
        self.target.run_sql("postgres", &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))?;
        Ok(self.target.create_database(DATABASE)?)
    }
}

/// Our program beside this one, unless it was named.
pub(crate) fn find_program(named: Option<PathBuf>) -> Result<PathBuf, Error> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name(PROGRAM));
    let program = named.or_else(beside).unwrap_or_else(|| PROGRAM.into());
    if program.is_file() { Ok(program) } else { Err(Error::Missing { program: program.display().to_string() }) }
}
