//! pg_dump and pg_restore as child processes: the right version, the secret by passfile, a time limit.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use atalaya_data::chain;
use atalaya_estate::{ConnectionUrl, TlsMode};
use tokio::process::Command;

use crate::Error;

const LIMIT: Duration = Duration::from_secs(3600);
const REASON_BYTES: usize = 2000;

/// Every variable that libpq reads (PostgreSQL 18 documentation, "Environment Variables", and older ones): nothing of
/// the caller's may lead elsewhere than the URL says, or say how. What is wanted is set afterwards.
const LIBPQ_VARIABLES: &[&str] = &[
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGREQUIREAUTH",
    "PGCHANNELBINDING",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGSSLMODE",
    "PGREQUIRESSL",
    "PGSSLNEGOTIATION",
    "PGSSLCOMPRESSION",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCERTMODE",
    "PGSSLROOTCERT",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLSNI",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMAXPROTOCOLVERSION",
    "PGSSLKEYLOGFILE",
    "PGMINPROTOCOLVERSION",
    "PGMAXPROTOCOLVERSION",
    "PGREQUIREPEER",
    "PGGSSENCMODE",
    "PGKRBSRVNAME",
    "PGREALM",
    "PGGSSLIB",
    "PGGSSDELEGATION",
    "PGCONNECT_TIMEOUT",
    "PGCLIENTENCODING",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
    "PGDATESTYLE",
    "PGTZ",
    "PGGEQO",
    "PGOAUTHDEBUG",
];

/// The programs of one major version.
#[derive(Clone, Debug)]
pub(crate) struct ClientTools {
    folder: Option<PathBuf>,
}

impl ClientTools {
    /// Finds the programs, in `folder` or else in the first of `folders` that has them, and refuses another major version than
    /// the target's.
    pub(crate) async fn find(folder: Option<&Path>, folders: &[PathBuf], target_major: u32) -> Result<Self, Error> {
        if folder.is_some() {
            return Self::checked(folder.map(Path::to_owned), target_major).await;
        }
        // Debian's packages put each version beside the others, and on PATH a script that chooses one of them.
        let packaged = || Self::checked(Some(format!("/usr/lib/postgresql/{target_major}/bin").into()), target_major);
        if is_debians_script(first_in(folders, "pg_dump").as_deref())
            && let Ok(tools) = packaged().await
        {
            // Started without the script, whose own start takes longer than what we ask for, and which chooses anew each
            // time, by files of the user's, too.
            return Ok(tools);
        }
        let refused = match Self::checked(None, target_major).await {
            Ok(tools) => return Ok(tools),
            Err(refused) => refused,
        };
        packaged().await.map_err(|_| refused)
    }

    /// The programs of a folder, whatever their version.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    async fn checked(folder: Option<PathBuf>, target_major: u32) -> Result<Self, Error> {
        let tools = Self { folder };
        let version = ["--version".into()];
        let told = |program| tools.run(program, &version, None);
        let (dump, restore) = futures_util::future::join(told("pg_dump"), told("pg_restore")).await;
        for text in [dump, restore] {
            let text = String::from_utf8_lossy(&text?).into_owned();
            let major = text.split_whitespace().find_map(|word| word.split('.').next()?.parse::<u32>().ok());
            if major != Some(target_major) {
                return Err(Error::refused(
                    "client-tools-version",
                    format!("`{}` is not of the target's version {target_major}", text.trim()),
                    format!(
                        "give the folder of version {target_major}'s pg_dump and pg_restore with `--client-tools DIR`"
                    ),
                ));
            }
        }
        Ok(tools)
    }

    /// Runs a program to its end and returns what it wrote; any other exit than 0 is a failure.
    pub(crate) async fn run(
        &self,
        program: &'static str,
        arguments: &[std::ffi::OsString],
        login: Option<&ConnectionUrl>,
    ) -> Result<Vec<u8>, Error> {
        let path = self.folder.as_ref().map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
        let failed = |reason: String| Error::Program { program, hint: next_step(&reason), reason };
        let mut command = Command::new(path);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        for name in LIBPQ_VARIABLES {
            command.env_remove(name);
        }
        let passfile = match login {
            Some(url) => Some(login_by_environment(&mut command, url)?),
            None => None,
        };
        let child = command.spawn().map_err(|error| failed(chain(&error)))?;
        let output = tokio::time::timeout(LIMIT, child.wait_with_output())
            .await
            .map_err(|_| failed(format!("it took longer than {} s", LIMIT.as_secs())))?
            .map_err(|error| failed(chain(&error)))?;
        drop(passfile);
        if output.status.success() {
            return Ok(output.stdout);
        }
        let mut reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        reason.truncate(reason.floor_char_boundary(REASON_BYTES));
        Err(failed(format!("{}: {reason}", output.status)))
    }
}

/// The file that a program's name leads to.
fn first_in(folders: &[PathBuf], program: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether a program is a link to the script that Debian's packages put in its place.
fn is_debians_script(program: Option<&Path>) -> bool {
    program
        .and_then(|program| program.canonicalize().ok())
        .is_some_and(|program| program.file_name().is_some_and(|name| name == "pg_wrapper"))
}

/// What a program's own words ask for.
fn next_step(reason: &str) -> &'static str {
    if reason.contains("No space left on device") {
        "see that the disk of the state folder (`--state DIR`) has room, then run the same command again"
    } else if reason.starts_with("exit status") {
        "put right what the program says, then run the same command again"
    } else {
        "install the PostgreSQL client programs of the target's version, or name their folder with `--client-tools DIR`"
    }
}

/// Tells libpq where to connect by its environment variables, and the secret by a file only we can read.
fn login_by_environment(command: &mut Command, url: &ConnectionUrl) -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::Builder::new().prefix("atalaya-").tempdir().map_err(|source| Error::File {
        action: "create",
        path: "a folder for a passfile".to_owned(),
        source,
    })?;
    let path = folder.path().join("passfile");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let escaped = url.password().unwrap_or_default().replace('\\', "\\\\").replace(':', "\\:");
        writeln!(file, "*:*:*:*:{escaped}")
    };
    write().map_err(|source| Error::File { action: "write", path: path.display().to_string(), source })?;
    let mode = match url.tls() {
        TlsMode::Disable => "disable",
        TlsMode::Prefer => "prefer",
        TlsMode::Require => "require",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyFull => "verify-full",
    };
    command
        .env("PGHOST", url.host())
        .env("PGPORT", url.port().to_string())
        .env("PGUSER", url.user())
        .env("PGDATABASE", url.database())
        .env("PGPASSFILE", &path)
        .env("PGSSLMODE", mode)
        .env("PGCONNECT_TIMEOUT", url.connect_timeout().as_secs().to_string())
        .env("PGAPPNAME", "atalaya schema");
    if let Some(certificate) = url.root_certificate() {
        command.env("PGSSLROOTCERT", certificate);
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_to_debians_script_is_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let [script, link, other] = ["pg_wrapper", "pg_dump", "pg_restore"].map(|name| folder.path().join(name));
        std::fs::write(&script, "").unwrap();
        std::fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&script, &link).unwrap();
        assert!(is_debians_script(Some(&link)));
        assert!(!is_debians_script(Some(&other)));
        assert!(!is_debians_script(Some(&folder.path().join("none"))));
        assert!(!is_debians_script(None));
    }
}
