//! One running NATS server with JetStream and its life: start, kill, start again.
//!
//! Its processes are known, ended and watched over like Postgres's: by their working folder.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::account::Account;
use crate::folder::Folder;
use crate::process::{POLL, wait};
use crate::watchdog::Watchdog;
use crate::{Error, TlsFiles, binaries, free_port, members};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const KILL_LIMIT: Duration = Duration::from_secs(10);
const PORT_ATTEMPTS: u32 = 10;
const LOG_LINES: usize = 20;
/// As `Folder::write_tls` names the files, which lie in the folder that the server works in.
const TLS: [&str; 5] = ["--tls", "--tlscert", "server.crt", "--tlskey", "server.key"];

/// A NATS server on loopback whose streams outlive its end. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct NatsServer {
    // Fields are dropped in this order; `Drop` has stopped the server before.
    process: Option<Child>,
    watchdog: Watchdog,
    folder: Folder,
    program: std::path::PathBuf,
    account: Account,
    port: u16,
    speaks_tls: bool,
}

impl NatsServer {
    /// Starts a fresh server and waits until it takes connections.
    ///
    /// # Errors
    /// When the server is not in the cache, or does not become ready within a minute.
    pub fn start() -> Result<Self, Error> {
        Self::start_as(None)
    }

    /// The same, which takes connections with TLS alone; its certificate should name `localhost`.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub fn start_with_tls(tls: &TlsFiles) -> Result<Self, Error> {
        Self::start_as(Some(tls))
    }

    fn start_as(tls: Option<&TlsFiles>) -> Result<Self, Error> {
        let account = Account::find()?;
        let program = binaries::nats_server()?;
        let folder = Folder::empty(std::env::temp_dir(), account)?;
        folder.make_data()?;
        if let Some(tls) = tls {
            folder.write_tls(tls)?;
        }
        let watchdog = Watchdog::start(folder.path(), folder.socket())?;
        let mut server = Self { process: None, watchdog, folder, program, account, port: 0, speaks_tls: tls.is_some() };
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port()?;
            match server.start_process() {
                Err(Error::NatsNotStarted { log }) if log.contains("address already in use") => {}
                result => return result.map(|()| server),
            }
        }
        Err(Error::NoFreePort { attempts: PORT_ATTEMPTS })
    }

    /// The port on 127.0.0.1, the same after [`NatsServer::start_again`].
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's URL, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, host) = if self.speaks_tls { ("tls", "localhost") } else { ("nats", "127.0.0.1") };
        format!("{scheme}://{host}:{}/", self.port)
    }

    /// The server's own folder; its streams are in `data` below.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The last lines of the server's log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.folder.log_tail(lines)
    }

    /// Ends the server by SIGKILL and keeps its streams.
    ///
    /// # Errors
    /// When the process is left after 10 s.
    pub fn kill(&mut self) -> Result<(), Error> {
        if let Some(process) = &mut self.process {
            // It may have ended by itself; one that does not end is found below.
            let _ = process.kill();
            let _ = wait(process, KILL_LIMIT);
            self.process = None;
        }
        if members::kill_all(&self.folder.data(), KILL_LIMIT) {
            return Ok(());
        }
        Err(Error::Unstoppable { folder: self.folder.path().into() })
    }

    /// Stops the server in good order and keeps its streams.
    ///
    /// # Errors
    /// When it is not down after a minute.
    pub fn stop(&mut self) -> Result<(), Error> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if let Ok(pid) = i32::try_from(process.id()) {
            members::send(pid, Signal::SIGTERM);
        }
        match wait(process, STOP_LIMIT) {
            Ok(Some(_)) => {
                self.process = None;
                Ok(())
            }
            Ok(None) => Err(Error::TimedOut { what: "stopping NATS".into(), seconds: STOP_LIMIT.as_secs() }),
            Err(source) => Err(Error::Run { program: "nats-server".into(), source }),
        }
    }

    /// Starts the stopped or killed server again on the same port and data, and waits until it takes connections.
    /// A server that runs goes on.
    ///
    /// # Errors
    /// When it does not become ready within a minute; its log is in the error.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if let Some(process) = &mut self.process {
            if matches!(process.try_wait(), Ok(None)) {
                return Ok(());
            }
            self.process = None;
        }
        self.start_process()
    }

    fn start_process(&mut self) -> Result<(), Error> {
        let log = self.folder.open_log()?;
        let failed = |source| Error::Run { program: "nats-server".into(), source };
        // Where an earlier run named its ports: what is there must be of this one.
        let ready = self.folder.data().join("ready");
        if ready.exists() {
            std::fs::remove_dir_all(&ready).map_err(Error::file("remove", &ready))?;
        }
        std::fs::create_dir(&ready).map_err(Error::file("create", &ready))?;
        self.account.give(&ready)?;
        let mut command = Command::new(&self.program);
        command
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .arg("--jetstream")
            .arg("--store_dir")
            .arg(self.folder.data())
            .arg("--ports_file_dir")
            .arg(&ready)
            .args(if self.speaks_tls { TLS.as_slice() } else { &[] })
            .current_dir(self.folder.data())
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        // An interrupt from the terminal is for the owner alone.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        self.account.run_as(&mut command);
        self.process = Some(command.spawn().map_err(failed)?);
        self.wait_until_ready(&ready)
    }

    /// The server names its ports in a file once it listens.
    fn wait_until_ready(&mut self, ready: &Path) -> Result<(), Error> {
        let deadline = Instant::now() + START_LIMIT;
        while let Some(process) = &mut self.process {
            if std::fs::read_dir(ready).is_ok_and(|mut files| files.next().is_some()) {
                return Ok(());
            }
            if !matches!(process.try_wait(), Ok(None)) {
                self.process = None;
            } else if Instant::now() >= deadline {
                return Err(Error::TimedOut { what: "starting NATS".into(), seconds: START_LIMIT.as_secs() });
            } else {
                thread::sleep(POLL);
            }
        }
        Err(Error::NatsNotStarted { log: self.log_tail(LOG_LINES) })
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // Streams that go away need no clean end.
        let _ = self.kill();
        self.watchdog.release();
    }
}
