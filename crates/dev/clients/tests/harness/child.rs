//! A program that is run to its end, within a limit.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Between two looks; the programs take seconds.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its output; a failure is told with its own words.
    pub(crate) fn output(self, what: &str) -> String {
        assert!(self.success, "{what} failed:\n{}\n{}", tail(&self.stdout), tail(&self.stderr));
        self.stdout
    }
}

fn tail(text: &str) -> &str {
    const BYTES: usize = 4000;
    let from = (text.len().saturating_sub(BYTES)..).find(|at| text.is_char_boundary(*at));
    &text[from.unwrap_or_default()..]
}

/// Runs a program. One that is not done within the limit is ended, and fails with what it had said.
///
/// Output goes through files: no pipe fills up.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Ended {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    let (success, late) = wait(command, &stdout, &stderr, limit);
    Ended { success, stdout: text(&mut stdout), stderr: text(&mut stderr) + &late }
}

/// The same, with all that it says in one text, in the order in which it said it.
pub(crate) fn run_in_order(command: &mut Command, limit: Duration) -> String {
    let mut both = tempfile::tempfile().unwrap();
    let (_, late) = wait(command, &both, &both, limit);
    text(&mut both) + &late
}

fn wait(command: &mut Command, stdout: &File, stderr: &File, limit: Duration) -> (bool, String) {
    command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}; `make setup`", command.get_program()));
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status.success(), String::new());
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return (false, format!("\nended after {} s\n", limit.as_secs()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A command that takes nothing from the caller's environment but what is needed to find programs.
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    command.env_clear().env("PATH", path).envs([("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("HOME", "/nonexistent")]);
    command.stdin(Stdio::null());
    command
}
