//! `atalaya gateway run` as a process of its own.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Door, Lab, run};

const BUILD_LIMIT: Duration = Duration::from_secs(1800);
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// When a server goes back to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    Session,
    Transaction,
}

impl Pooling {
    fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

/// Whether clients have to speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Without,
    Required,
}

/// A gateway before a lab's server. Dropping it ends it, and fails when it does not end or had ended before.
pub(crate) struct Gateway {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    tls: Tls,
}

impl Gateway {
    /// Starts one and waits until it lets clients in.
    pub(crate) fn start(lab: &Lab, pooling: Pooling, servers_max: usize, tls: Tls) -> Self {
        Self::before(lab.server.port(), lab, &format!("pooling: {}, servers_max: {servers_max}", pooling.word()), tls)
    }

    /// The same before a port by which the server is reached, with options of the database.
    pub(crate) fn before(server: u16, lab: &Lab, options: &str, tls: Tls) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let estate = folder.path().join("atalaya.yaml");
        let mut text = estate_text(lab, server, options, port);
        if tls == Tls::Required {
            certify(folder.path());
            text += "  tls: { certificate: gateway.crt, key: gateway.key, required: true }\n";
        }
        std::fs::write(&estate, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program())
            .arg("--estate")
            .arg(&estate)
            .arg("--state")
            .arg(folder.path().join("state"))
            .args(["gateway", "run"])
            .env("GATEWAY_PASSWORD", lab.role.password())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gateway = Self { child, port, folder, tls };
        gateway.wait_until_open();
        gateway
    }

    /// Where clients connect.
    pub(crate) fn door(&self) -> Door {
        let authority = (self.tls == Tls::Required).then(|| self.folder.path().join("gateway.crt"));
        Door { port: self.port, authority }
    }

    /// An administrator's command.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut command = Command::new(program());
        command.args(words).args(["--output", "json", "--estate"]).arg(self.folder.path().join("atalaya.yaml"));
        command.arg("--state").arg(self.folder.path().join("state"));
        run(&mut command, STOP_LIMIT).output("atalaya")
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_open(&mut self) {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the gateway ended with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < deadline, "the gateway does not listen:\n{}", self.log());
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let before = self.child.try_wait().ok().flatten();
        if before.is_none() {
            let _ = kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM);
        }
        let deadline = Instant::now() + STOP_LIMIT;
        let mut ended = before;
        while ended.is_none() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
            ended = self.child.try_wait().ok().flatten();
        }
        let late = ended.is_none();
        if late {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // Another failure is told first: a second one would hide it.
        if !std::thread::panicking() {
            assert!(before.is_none(), "the gateway had ended by itself: {before:?}\n{}", self.log());
            assert!(!late, "the gateway did not stop:\n{}", self.log());
            assert!(ended.is_some_and(|status| status.success()), "the gateway ended with {ended:?}:\n{}", self.log());
        }
    }
}

fn estate_text(lab: &Lab, server: u16, options: &str, port: u16) -> String {
    let (user, database) = (lab.role.name(), &lab.database);
    format!(
        "estate: clients
databases:
  place: {{ engine: postgres, url: \"postgres://{user}@127.0.0.1:{server}/{database}?sslmode=disable\" }}
gateway:
  listen: 127.0.0.1:{port}
  users:
    {user}:
      verifier: \"{}\"
      secrets: {{ {database}: env:GATEWAY_PASSWORD }}
  databases:
    {database}: {{ to: place, {options} }}
",
        lab.verifier(),
    )
}

/// A certificate of its own for the address that clients connect to, and its key, which nobody else may read.
fn certify(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("gateway.crt"), made.cert.pem()).unwrap();
    let mut options = std::fs::OpenOptions::new();
    let mut key = options.write(true).create_new(true).mode(0o600).open(folder.join("gateway.key")).unwrap();
    key.write_all(made.signing_key.serialize_pem().as_bytes()).unwrap();
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The program, in the profile of this test; built here, so that it is never an older one.
pub(super) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // `TARGET/PROFILE/deps/main-...`
        let own = std::env::current_exe().unwrap();
        let folder = own.ancestors().nth(2).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--package", "atalaya", "--manifest-path"]);
        cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../Cargo.toml"));
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        match folder.file_name().unwrap().to_string_lossy().as_ref() {
            "debug" => {}
            profile => {
                cargo.args(["--profile", profile]);
            }
        }
        run(&mut cargo, BUILD_LIMIT).output("cargo build");
        folder.join("atalaya")
    })
}
