//! initdb's work, done once per version and locale and then copied: a start takes well under a second.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::{Binaries, own_cache};
use crate::process::{POLL, run};
use crate::{Error, ServerOptions};

const INITDB_LIMIT: Duration = Duration::from_secs(120);
const COPY_LIMIT: Duration = Duration::from_secs(120);
/// Changed when the arguments of initdb change, so that older templates are no longer used.
const FORMAT: u32 = 1;

/// The name of the first superuser.
pub(crate) const SUPERUSER: &str = "postgres";

/// Copies a fresh data folder to `data`, which must not exist yet.
pub(crate) fn copy_to(
    data: &Path,
    binaries: &Binaries,
    options: &ServerOptions,
    account: Account,
) -> Result<(), Error> {
    let template = find_or_make(binaries, options, account)?;
    let mut copy = Command::new("cp");
    copy.args(["-a", "--reflink=auto", "--"]).arg(template).arg(data);
    run(copy, None, COPY_LIMIT).map(drop)
}

fn find_or_make(binaries: &Binaries, options: &ServerOptions, account: Account) -> Result<PathBuf, Error> {
    let cache = own_cache()?.join("templates");
    let locale: String = options.locale.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let template = cache.join(format!("{}-{locale}-{FORMAT}", binaries.version));
    if template.exists() {
        return Ok(template);
    }
    fs::create_dir_all(&cache).map_err(Error::file("create", &cache))?;
    account.give(&cache)?;
    account.check_can_enter(&cache)?;
    let _lock = lock(&template.with_added_extension("lock"))?;
    if template.exists() {
        return Ok(template);
    }
    // Whoever was killed in mid-work left this.
    let unfinished = template.with_added_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(Error::file("remove", &unfinished))?;
    }
    let mut initdb = Command::new(binaries.programs.join("initdb"));
    initdb
        .args(["--no-sync", "--encoding=UTF8", "--auth-local=trust", "--auth-host=scram-sha-256"])
        .args([format!("--username={SUPERUSER}"), format!("--locale={}", options.locale)])
        .arg("--pgdata")
        .arg(&unfinished)
        .current_dir("/")
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("TZ", "UTC"), ("LC_ALL", "C")]);
    // initdb wants a password for such rules; the real one is set at each server's first start.
    let password = tempfile::NamedTempFile::new().map_err(Error::file("create", "a temporary file"))?;
    fs::write(password.path(), crate::sql::random_password()).map_err(Error::file("write", password.path()))?;
    account.give(password.path())?;
    initdb.arg("--pwfile").arg(password.path());
    account.run_as(&mut initdb);
    run(initdb, None, INITDB_LIMIT)?;
    fs::rename(&unfinished, &template).map_err(Error::file("rename", &unfinished))?;
    Ok(template)
}

/// Waits for other processes that make the same template. The lock goes with the file, even when its owner is killed.
fn lock(path: &Path) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::file("create", path))?;
    let deadline = Instant::now() + INITDB_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", path)(source)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                let what = format!("waiting for the lock `{}`", path.display());
                return Err(Error::TimedOut { what, seconds: INITDB_LIMIT.as_secs() });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(POLL),
        }
    }
}
