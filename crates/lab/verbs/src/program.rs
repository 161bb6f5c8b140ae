//! Runs the program as a DBA does, and shows the command lines.
//!
//! URLs travel by the environment alone. Each run is a process group of its own: an interrupt at the terminal is the
//! demo's to handle, and what is killed here takes its `pg_dump` with it.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{Error, Event, Narrator};

/// No verb of the demo takes as long on any machine that it is meant for.
const RUN_LIMIT: Duration = Duration::from_secs(3 * 3600);
/// Lines kept of what a run said.
const SAID_LINES_MAX: usize = 20;

/// How a command line says which migration is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By the variables in which both URLs stand, and a name.
    Urls,
    /// By its name in the estate file, `atalaya.yaml` of the folder; URLs stand in variables there.
    Estate,
}

/// The program with its surroundings: one migration between two servers.
#[derive(Clone)]
pub struct Program {
    /// The binary.
    pub path: PathBuf,
    /// The folder that it is run in; its `.atalaya` is there.
    pub folder: PathBuf,
    /// The migration's name.
    pub name: &'static str,
    /// How command lines name it.
    pub naming: Naming,
    /// The old server, password included.
    pub source_url: String,
    /// The new one.
    pub target_url: String,
    /// Where pg_dump and pg_restore of the target's version are.
    pub client_tools: PathBuf,
    /// Who is told.
    pub narrator: Arc<dyn Narrator>,
}

/// What a run printed.
pub struct Answer {
    line: String,
    stdout: String,
}

impl Answer {
    /// The JSON document that it printed.
    ///
    /// # Errors
    /// When it is of another form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.stdout).map_err(|source| Error::Answer { line: self.line.clone(), source })
    }
}

/// Both sides by their URLs: `assess` needs no name beside them.
const ENDPOINTS: [&str; 4] = ["--source", "env:SOURCE_URL", "--target", "env:TARGET_URL"];

/// A command line as one would type it.
#[must_use]
pub fn shown(arguments: &[&str]) -> String {
    format!("atalaya {}", arguments.join(" "))
}

impl Program {
    /// The arguments of a verb, as typed; JSON is what the lab reads.
    #[must_use]
    pub fn arguments<'a>(&self, verb: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        let named = match self.naming {
            Naming::Estate => vec![self.name],
            Naming::Urls if verb == ["assess"] => ENDPOINTS.to_vec(),
            Naming::Urls => [ENDPOINTS.as_slice(), &["--name", self.name]].concat(),
        };
        [verb, &named, more, &["--output", "json"]].concat()
    }

    /// Shows a command line, runs it to its end, and demands one of these exit codes. `each` takes its progress.
    ///
    /// # Errors
    /// When it cannot be run, ends otherwise, or takes longer than three hours.
    pub async fn run(
        &self,
        arguments: &[&str],
        codes: &[i32],
        each: impl FnMut(&serde_json::Value),
    ) -> Result<Answer, Error> {
        let line = shown(arguments);
        self.narrator.tell(&Event::Command { line });
        self.ask(arguments, codes, each).await
    }

    /// As [`Program::run`], without showing it.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub async fn ask(
        &self,
        arguments: &[&str],
        codes: &[i32],
        each: impl FnMut(&serde_json::Value),
    ) -> Result<Answer, Error> {
        let line = shown(arguments);
        let mut group = self.spawn(arguments)?;
        let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
        let running = async {
            let (stdout, said) = tokio::join!(read_all(stdout), read_lines(stderr, each));
            let status = group.child.wait().await;
            (stdout, said, status)
        };
        let (stdout, said, status) = tokio::time::timeout(RUN_LIMIT, running)
            .await
            .map_err(|_| Error::TimedOut { line: line.clone(), seconds: RUN_LIMIT.as_secs() })?;
        let failed = |source| Error::Run { line: line.clone(), source };
        let (stdout, said, status) = (stdout.map_err(failed)?, said.map_err(failed)?, status.map_err(failed)?);
        match status.code() {
            Some(code) if codes.contains(&code) => Ok(Answer { line, stdout }),
            _ => Err(ended(line, status, &said)),
        }
    }

    /// Starts a run that goes on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Group, Error> {
        let child = Command::new(&self.path)
            .args(arguments)
            .current_dir(&self.folder)
            .env("SOURCE_URL", &self.source_url)
            .env("TARGET_URL", &self.target_url)
            .env("ATALAYA_CLIENT_TOOLS", &self.client_tools)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Error::Run { line: shown(arguments), source })?;
        Ok(Group { child })
    }
}

/// A run that ended as it should not.
#[must_use]
pub fn ended(line: String, status: ExitStatus, said: &[String]) -> Error {
    let code = status.code();
    let status = code.map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
    let said = said.iter().rev().find_map(|text| error_of(text)).unwrap_or_else(|| said.join("\n"));
    Error::Command { line, code, status, said }
}

/// The message of the last line that a failing run writes.
fn error_of(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(value.get("error")?.as_str()?.to_owned())
}

/// A process with its children; ended when dropped.
pub struct Group {
    /// Its leader.
    pub child: Child,
}

impl Drop for Group {
    fn drop(&mut self) {
        // The id is there until the child was waited for, so that it is no other process's by now.
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            let _gone = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

async fn read_all(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut text = String::new();
    if let Some(mut stream) = stream {
        stream.read_to_string(&mut text).await?;
    }
    Ok(text)
}

/// Hands out each JSON line, and keeps the last lines.
///
/// # Errors
/// When the stream cannot be read.
pub async fn read_lines(
    stream: Option<impl AsyncRead + Unpin>,
    mut each: impl FnMut(&serde_json::Value),
) -> std::io::Result<Vec<String>> {
    let mut said = std::collections::VecDeque::new();
    let Some(stream) = stream else { return Ok(Vec::new()) };
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        if let Ok(value) = serde_json::from_str(&line) {
            each(&value);
        }
        if said.len() == SAID_LINES_MAX {
            said.pop_front();
        }
        said.push_back(line);
    }
    Ok(said.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Narrator for Nobody {
        fn tell(&self, _: &Event) {}
    }

    #[test]
    fn a_command_line_names_variables_and_no_url() {
        let program = Program {
            path: "atalaya".into(),
            folder: ".".into(),
            name: "shop",
            naming: Naming::Urls,
            source_url: "postgres://a:secret@b/c".into(),
            target_url: "postgres://a:secret@d/e".into(),
            client_tools: ".".into(),
            narrator: Arc::new(Nobody),
        };
        assert_eq!(
            shown(&program.arguments(&["migrate", "finish"], &[])),
            "atalaya migrate finish --source env:SOURCE_URL --target env:TARGET_URL --name shop --output json"
        );
        assert_eq!(
            shown(&program.arguments(&["assess"], &[])),
            "atalaya assess --source env:SOURCE_URL --target env:TARGET_URL --output json"
        );
        let program = Program { naming: Naming::Estate, ..program };
        assert_eq!(
            shown(&program.arguments(&["migrate", "cutover"], &["--rehearse"])),
            "atalaya migrate cutover shop --rehearse --output json"
        );
    }

    #[test]
    fn a_failed_run_is_told_by_its_own_message() {
        let said = ["{\"event\":\"phase\"}".to_owned(), "{\"error\":\"no\",\"hint\":null}".to_owned()];
        let status = std::os::unix::process::ExitStatusExt::from_raw(4 << 8);
        let error = ended("atalaya x".into(), status, &said);
        assert_eq!(error.to_string(), "`atalaya x` ended with exit code 4: no");
        assert_eq!(error.exit_code(), Some(4));
    }
}
