//! One running server and its life: start, stop, kill, start again.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::account::Account;
use crate::binaries::{self, Binaries};
use crate::folder::Folder;
use crate::process::{POLL, wait};
use crate::sql::Role;
use crate::template::SUPERUSER;
use crate::watchdog::Watchdog;
use crate::{DetachedServer, Error, ServerOptions, free_port, members, options};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const KILL_LIMIT: Duration = Duration::from_secs(10);
const PORT_ATTEMPTS: u32 = 10;
const LOG_LINES: usize = 20;

/// How a server is asked to stop, in the words of `pg_ctl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Waits for every client to leave.
    Smart,
    /// Rolls back and disconnects, then shuts down cleanly.
    Fast,
    /// Stops at once; the next start recovers.
    Immediate,
}

/// A Postgres server on loopback. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct Server {
    // Fields are dropped in this order; `Drop` has stopped the server before.
    postmaster: Option<Child>,
    watchdog: Watchdog,
    folder: Folder,
    binaries: Binaries,
    account: Account,
    major: u16,
    port: u16,
    superuser: Role,
    clock: Vec<(&'static str, OsString)>,
}

impl Server {
    /// Starts a fresh server and waits until it takes connections.
    ///
    /// # Errors
    /// When the version is not there, or the server does not become ready within a minute.
    pub fn start(options: ServerOptions) -> Result<Self, Error> {
        let account = Account::find()?;
        let binaries = binaries::find(options.major)?;
        let folder = Folder::make(&options, &binaries, account)?;
        let mut server = Self::stopped(options.major, folder, binaries, account, Role::new(SUPERUSER))?;
        server.clock.clone_from(&options.clock);
        server.start_on_free_port()?;
        let password = server.superuser.password();
        server.run_sql(SUPERUSER, &format!("ALTER ROLE {SUPERUSER} PASSWORD '{password}'"))?;
        Ok(server)
    }

    /// A server that is not started yet, with its folder watched.
    pub(crate) fn stopped(
        major: u16,
        folder: Folder,
        binaries: Binaries,
        account: Account,
        superuser: Role,
    ) -> Result<Self, Error> {
        let watchdog = Watchdog::start(folder.path(), folder.socket())?;
        Ok(Self { postmaster: None, watchdog, folder, binaries, account, major, port: 0, superuser, clock: Vec::new() })
    }

    /// What a standby of this server is made from.
    pub(crate) fn parts(&self) -> (&Binaries, Account) {
        (&self.binaries, self.account)
    }

    /// The major version.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.major
    }

    /// The port on 127.0.0.1, the same after [`Server::start_again`].
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's own folder; its data is in `data` below.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the Unix socket, which lets in only the caller and asks for no password.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        self.folder.socket()
    }

    /// The first superuser.
    #[must_use]
    pub fn superuser(&self) -> &Role {
        &self.superuser
    }

    /// The superuser's URL of a database, password included, without TLS.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as(&self.superuser, database)
    }

    /// A role's URL of a database, password included, without TLS.
    #[must_use]
    pub fn url_as(&self, role: &Role, database: &str) -> String {
        let [name, database] = [role.name(), database].map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC));
        format!("postgres://{name}:{}@127.0.0.1:{}/{database}?sslmode=disable", role.password(), self.port)
    }

    /// The last lines of the server's log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.folder.log_tail(lines)
    }

    /// Adds a line to `postgresql.conf`, for the next [`Server::reload`] or [`Server::start_again`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, name: &str, value: &str) -> Result<(), Error> {
        self.folder.configure(&options::line(name, value))
    }

    /// Has the server read its configuration again; it does so a little later.
    pub fn reload(&self) {
        if let Some(pid) = members::postmaster(&self.folder.data()) {
            members::send(pid, Signal::SIGHUP);
        }
    }

    /// Stops the server and keeps its data. A stopped server stays stopped.
    ///
    /// # Errors
    /// When it is not down after a minute, as with [`StopMode::Smart`] while a client stays.
    pub fn stop(&mut self, mode: StopMode) -> Result<(), Error> {
        let Some(postmaster) = &mut self.postmaster else {
            return Ok(());
        };
        if let Some(pid) = members::postmaster(&self.folder.data()) {
            members::send(
                pid,
                match mode {
                    StopMode::Smart => Signal::SIGTERM,
                    StopMode::Fast => Signal::SIGINT,
                    StopMode::Immediate => Signal::SIGQUIT,
                },
            );
        }
        match wait(postmaster, STOP_LIMIT) {
            Ok(Some(_)) => {
                self.postmaster = None;
                Ok(())
            }
            Ok(None) => Err(Error::TimedOut {
                what: format!("stopping Postgres {}", self.major),
                seconds: STOP_LIMIT.as_secs(),
            }),
            Err(source) => Err(Error::Run { program: "postgres".into(), source }),
        }
    }

    /// Ends every process of the server by SIGKILL, as a crash of the machine would, and keeps its data.
    ///
    /// # Errors
    /// When a process is left after 10 s.
    pub fn kill(&mut self) -> Result<(), Error> {
        if let Some(postmaster) = &mut self.postmaster {
            // It may have ended by itself; one that does not end is found below.
            let _ = postmaster.kill();
            let _ = wait(postmaster, KILL_LIMIT);
            self.postmaster = None;
        }
        if members::kill_all(&self.folder.data(), KILL_LIMIT) {
            return Ok(());
        }
        Err(Error::Unstoppable { folder: self.folder.path().into() })
    }

    /// Starts the stopped or killed server again on the same port and data, and waits until it takes connections.
    /// A server that runs goes on.
    ///
    /// # Errors
    /// When it does not become ready within a minute; its log is in the error.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if let Some(postmaster) = &mut self.postmaster {
            if matches!(postmaster.try_wait(), Ok(None)) {
                return Ok(());
            }
            // It ended by itself: what it left behind must be gone before its data may be used again.
            self.kill()?;
        }
        self.start_postmaster()
    }

    /// What finds this server again once it is detached: to be stored before [`Server::detach`], so that a server is
    /// always known to a watchdog or to a record, or to both.
    #[must_use]
    pub fn record(&self) -> DetachedServer {
        DetachedServer {
            version: self.major,
            port: self.port,
            folder: self.folder.path().into(),
            socket: self.folder.socket().into(),
        }
    }

    /// Leaves the server running when this process ends. From here on only [`Server::record`]'s value can stop it.
    pub fn detach(mut self) {
        self.watchdog.release();
        self.folder.keep();
        // Not waited for any more: it is init's child once this process is gone.
        self.postmaster = None;
    }

    pub(crate) fn start_on_free_port(&mut self) -> Result<(), Error> {
        for _ in 0..PORT_ATTEMPTS {
            self.port = free_port()?;
            match self.start_postmaster() {
                Err(Error::NotStarted { log, .. }) if log.contains("Address already in use") => {}
                result => return result,
            }
        }
        Err(Error::NoFreePort { attempts: PORT_ATTEMPTS })
    }

    fn start_postmaster(&mut self) -> Result<(), Error> {
        let log = self.folder.open_log()?;
        let failed = |source| Error::Run { program: "postgres".into(), source };
        let mut command = Command::new(self.binaries.programs.join("postgres"));
        command
            .arg("-D")
            .arg(self.folder.data())
            .args(["-p", &self.port.to_string()])
            .arg("-k")
            .arg(self.folder.socket())
            .current_dir("/")
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")])
            .env("LD_LIBRARY_PATH", &self.binaries.libraries)
            .envs(self.clock.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        // An interrupt from the terminal is for the owner alone.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        self.account.run_as(&mut command);
        self.postmaster = Some(command.spawn().map_err(failed)?);
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_LIMIT;
        let lock_file = self.folder.data().join("postmaster.pid");
        while let Some(postmaster) = &mut self.postmaster {
            // A killed server leaves its lock file behind, so the process id must be this one's.
            let text = std::fs::read_to_string(&lock_file).unwrap_or_default();
            let mut lines = text.lines().map(str::trim);
            if lines.next() == Some(&postmaster.id().to_string()) && lines.nth(6) == Some("ready") {
                return Ok(());
            }
            if !matches!(postmaster.try_wait(), Ok(None)) {
                self.postmaster = None;
            } else if Instant::now() >= deadline {
                let what = format!("starting Postgres {}", self.major);
                return Err(Error::TimedOut { what, seconds: START_LIMIT.as_secs() });
            } else {
                thread::sleep(POLL);
            }
        }
        Err(Error::NotStarted { major: self.major, log: self.log_tail(LOG_LINES) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            // Data of a server that goes away needs no clean shutdown; what does not stop is killed.
            let _ = self.stop(StopMode::Immediate);
            let _ = self.kill();
        }
        self.watchdog.release();
    }
}
