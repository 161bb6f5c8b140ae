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
/// How long one that is to end may take to clean up, at most.
const GRACE_MAX: Duration = Duration::from_secs(2);
/// The same as a part of its limit: a hold has two thirds of what ends it from outside, so that this is over before.
const GRACE_PART: u32 = 4;
/// How long the kernel may take to end what is killed.
const REAP: Duration = Duration::from_secs(2);
/// Between two looks at what is left of it.
const LOOK: Duration = Duration::from_millis(5);
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

    /// Whether anything of it is left; what nobody has waited for counts.
    fn is_left(&self) -> bool {
        self.0.is_some_and(|group| killpg(group, None).is_ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is there any more to wait for what it would do.
        self.signal(Signal::SIGKILL);
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
            end(&mut child, &group, GRACE_MAX.min(limit / GRACE_PART)).await;
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

/// The shell may be gone at once while what it has started takes no notice: the whole group is ended.
async fn end(child: &mut Child, group: &Group, grace: Duration) {
    group.signal(Signal::SIGTERM);
    let leaving = async {
        let _status = child.wait().await;
        while group.is_left() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let _late = tokio::time::timeout(grace, leaving).await;
    group.signal(Signal::SIGKILL);
    let _reaped = tokio::time::timeout(REAP, child.wait()).await;
}
