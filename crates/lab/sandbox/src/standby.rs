//! A physical standby of a running server: a base backup that follows by streaming.
//!
//! It needs no slot on the primary, so that tests which look at the primary's slots see none but their own: the primary
//! keeps log for it by `wal_keep_size`.

use std::process::Command;
use std::time::Duration;

use crate::folder::Folder;
use crate::template::SUPERUSER;
use crate::{Error, Server, client_tools, options, process};

const BACKUP_LIMIT: Duration = Duration::from_secs(300);

impl Server {
    /// Starts a standby of this server, which has its roles, passwords and settings; the given ones come on top. Waits
    /// until it takes connections. It replays what the primary writes a moment later.
    ///
    /// # Errors
    /// When the version comes without `pg_basebackup`, as 13 does, or the standby does not become ready within a minute.
    pub fn start_standby(&self, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let (binaries, account) = self.parts();
        let folder = Folder::empty(std::env::temp_dir(), account)?;
        let mut backup = Command::new(client_tools(self.version())?.join("pg_basebackup"));
        backup
            .args(["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--write-recovery-conf"])
            .args([format!("--username={SUPERUSER}"), format!("--port={}", self.port())])
            .arg("--host")
            .arg(self.socket_folder())
            .arg("--pgdata")
            .arg(folder.data())
            .current_dir("/")
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("TZ", "UTC"), ("LC_ALL", "C"), ("PGCONNECT_TIMEOUT", "10")])
            .env("LD_LIBRARY_PATH", &binaries.libraries);
        account.run_as(&mut backup);
        process::run(backup, None, BACKUP_LIMIT)?;
        let lines: String = settings.iter().map(|(name, value)| options::line(name, value)).collect();
        folder.configure(&lines)?;
        let superuser = self.superuser().clone();
        let mut standby = Self::stopped(self.version(), folder, binaries.clone(), account, superuser)?;
        standby.start_on_free_port()?;
        Ok(standby)
    }
}
