//! The programs, one for each client, and how each is started.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use atalaya_sandbox::{cache_folder, client_tools};
use clients::{Report, masked};
use serde_json::json;

use super::{Door, Lab, child, run};

const RUN_LIMIT: Duration = Duration::from_secs(240);
const BUILD_LIMIT: Duration = Duration::from_secs(1800);
const JDBC_DRIVER: &str = "/usr/share/java/postgresql.jar";

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Psycopg,
    Asyncpg,
    NodePostgres,
    Pgjdbc,
    TokioPostgres,
    Sqlx,
    Psql,
}

/// The folder of the programs' sources.
pub(crate) fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// The folder that `make setup` installs clients into.
pub(crate) fn cache() -> PathBuf {
    cache_folder().unwrap().join("clients")
}

impl Program {
    /// Runs the program for a copy and reads what it says.
    pub(crate) fn report(self, lab: &Lab, door: &Door, copy: usize, servers: usize) -> Report {
        if self == Self::Psql {
            return psql(lab, door, copy);
        }
        self.told(self.command(), lab, door, copy, servers)
    }

    /// What pgjdbc says of large objects, which its interface for them reads by function calls of the protocol.
    pub(crate) fn large_objects_of_pgjdbc(lab: &Lab, door: &Door) -> Report {
        let mut command = Self::Pgjdbc.command();
        command.arg("large-objects");
        Self::Pgjdbc.told(command, lab, door, 0, 1)
    }

    fn told(self, mut command: Command, lab: &Lab, door: &Door, copy: usize, servers: usize) -> Report {
        lab.address(&mut command, door);
        command.env("CLIENT_SCHEMA", Lab::schema(copy)).env("CLIENT_SERVERS", servers.to_string());
        let said = run(&mut command, RUN_LIMIT).output(&format!("{self:?}"));
        Report::read(&said).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// The program of a client that stays while its database is led elsewhere.
    pub(crate) fn led(self) -> Command {
        match self {
            Self::Psycopg => python("psycopg", "led.py"),
            Self::Asyncpg => python("asyncpg", "led.py"),
            Self::Pgjdbc => java("Led"),
            _ => unreachable!("it has none"),
        }
    }

    /// The program of a client that asks for a row whenever it is told to, on one connection.
    pub(crate) fn asking(self) -> Command {
        match self {
            Self::Psycopg => python("psycopg", "asking.py"),
            Self::Asyncpg => python("asyncpg", "asking.py"),
            Self::NodePostgres => node("asking.js"),
            Self::Pgjdbc => java("Asking"),
            Self::TokioPostgres | Self::Sqlx => {
                let mut command = self.command();
                command.arg("asking");
                command
            }
            Self::Psql => unreachable!("it has none"),
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Psycopg => python("psycopg", "main.py"),
            Self::Asyncpg => python("asyncpg", "main.py"),
            Self::NodePostgres => node("main.js"),
            Self::Pgjdbc => java("Main"),
            Self::TokioPostgres => child::clean(rust_programs().join("clients-tokio-postgres")),
            Self::Sqlx => child::clean(rust_programs().join("clients-sqlx")),
            Self::Psql => unreachable!("it has files instead of a program"),
        }
    }
}

fn node(file: &str) -> Command {
    pinned("node", "package-lock.json");
    let mut command = child::clean("node");
    command.env("NODE_PATH", cache().join("node/node_modules")).arg(programs().join("node").join(file));
    command
}

fn java(class: &str) -> Command {
    let mut command = child::clean("java");
    // Short runs: what would make a long one faster costs more than it gives.
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp"]);
    command.arg(format!("{}:{JDBC_DRIVER}", compiled_java().display())).arg(class);
    command
}

fn python(name: &str, file: &str) -> Command {
    pinned(name, "requirements.txt");
    let mut command = child::clean(cache().join(name).join("bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(programs().join(name).join(file));
    command
}

/// Another version than the pinned one is another client.
fn pinned(name: &str, pins: &str) {
    let installed = std::fs::read(cache().join(name).join(".pinned")).ok();
    let asked = std::fs::read(programs().join(name).join(pins)).unwrap();
    assert!(installed == Some(asked), "the clients of `{name}` are not the pinned ones; `make setup` installs them");
}

/// Compiled once for all tests of this process.
fn compiled_java() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut javac = child::clean("javac");
        javac.args(["-encoding", "UTF-8", "-cp", JDBC_DRIVER, "-d"]).arg(folder.path());
        javac.args(
            ["Main.java", "Scenarios.java", "Led.java", "Asking.java"].map(|file| programs().join("jdbc").join(file)),
        );
        run(&mut javac, BUILD_LIMIT).output("javac");
        folder
    });
    made.path()
}

/// Built by the set-up too; here again, so that a changed source is never tried in its old form.
fn rust_programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = cache().join("rust");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(programs().join("rust/Cargo.toml"));
        cargo.arg("--target-dir").arg(&target).env_remove("CARGO_TARGET_DIR");
        run(&mut cargo, BUILD_LIMIT).output("cargo build");
        target.join("debug")
    })
}

/// Each file of `programs/psql` is a scenario; its result is all that psql shows.
fn psql(lab: &Lab, door: &Door, copy: usize) -> Report {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(programs().join("psql")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let lines: Vec<String> = files
        .iter()
        .map(|file| {
            let mut psql = child::clean(client_tools(18).unwrap().join("psql"));
            lab.address(&mut psql, door);
            let path = format!("SET search_path={}", Lab::schema(copy));
            psql.args(["-X", "-a", "-v", "SHOW_CONTEXT=always", "-c", &path, "-f", "-"]);
            psql.stdin(File::open(file).unwrap());
            let ended = run(&mut psql, RUN_LIMIT);
            let result = json!({
                "shown": masked(&ended.stdout).lines().collect::<Vec<_>>(),
                "said": ended.stderr.lines().collect::<Vec<_>>(),
                "success": ended.success,
            });
            json!({"scenario": file.file_stem().unwrap().to_string_lossy(), "result": result}).to_string()
        })
        .collect();
    Report::read(&lines.join("\n")).unwrap()
}
