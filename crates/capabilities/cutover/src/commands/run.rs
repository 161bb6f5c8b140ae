//! Runs one command: within a limit, with no more of what it says than can be shown, and with nothing of it left running.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;

use crate::report::{CommandKind, CommandReport, micros};

/// The end of what a command has said is kept: that is where it says what went wrong.
const OUTPUT_BYTES: usize = 4096;
/// How long one that is to end may take to clean up.
const GRACE: Duration = Duration::from_secs(2);
/// How long what others write into its pipe is waited for once the command itself has ended.
const DRAIN: Duration = Duration::from_millis(200);

/// The processes of a command; they are ended with it, also where nobody waits for it any more.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _gone = killpg(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
    }
}

/// Runs a command by `sh -c`, with further variables in its environment. Its stderr is this process's own.
pub(super) async fn run(
    kind: CommandKind,
    command: &str,
    variables: &[(&str, String)],
    limit: Duration,
) -> CommandReport {
    let began = Instant::now();
    let mut output = Vec::new();
    let ended = attempt(command, variables, limit, &mut output).await;
    let (exit_code, failure) = match ended {
        Ok(0) => (Some(0), None),
        Ok(code) => (Some(code), Some(format!("it ended with exit code {code}"))),
        Err(why) => (None, Some(why)),
    };
    let output = String::from_utf8_lossy(&output).into_owned();
    CommandReport { command: kind, took_us: micros(began.elapsed()), exit_code, failure, output }
}

/// Its exit code, or why there is none.
async fn attempt(
    command: &str,
    variables: &[(&str, String)],
    limit: Duration,
    output: &mut Vec<u8>,
) -> Result<i32, String> {
    let started = Command::new("sh")
        .arg("-c")
        .arg(command)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        // A group of its own, so that all of it can be ended.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error| format!("it cannot be started: {error}"))?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let stdout = child.stdout.take();
    let status = match tokio::time::timeout(limit, wait(&mut child, stdout, output)).await {
        Ok(status) => status.map_err(|error| format!("it cannot be waited for: {error}"))?,
        Err(_) => {
            end(&mut child, &group).await;
            group.0 = None;
            return Err(format!("it was not done within {} ms, and was ended", limit.as_millis()));
        }
    };
    // What it has left behind on purpose goes on.
    group.0 = None;
    status.code().ok_or_else(|| "it was ended by a signal".to_owned())
}

async fn wait(
    child: &mut Child,
    stdout: Option<ChildStdout>,
    output: &mut Vec<u8>,
) -> std::io::Result<std::process::ExitStatus> {
    let Some(stdout) = stdout else { return child.wait().await };
    let reading = read_tail(stdout, output);
    tokio::pin!(reading);
    tokio::select! {
        () = &mut reading => child.wait().await,
        status = child.wait() => {
            // Somebody that it has started may hold the pipe for ever.
            let _held = tokio::time::timeout(DRAIN, reading).await;
            status
        }
    }
}

async fn read_tail(mut stdout: ChildStdout, output: &mut Vec<u8>) {
    let mut chunk = [0_u8; 4096];
    while let Ok(read @ 1..) = stdout.read(&mut chunk).await {
        output.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let surplus = output.len().saturating_sub(OUTPUT_BYTES);
        output.drain(..surplus);
    }
}

async fn end(child: &mut Child, group: &Group) {
    group.signal(Signal::SIGTERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        group.signal(Signal::SIGKILL);
        let _reaped = tokio::time::timeout(GRACE, child.wait()).await;
    }
}
