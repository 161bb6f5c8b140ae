//! Runs a short-lived program with a time limit and bounded output.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// Between two looks at something that sends no signal.
pub(crate) const POLL: Duration = Duration::from_millis(5);
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const MESSAGE_BYTES_MAX: u64 = 16 * 1024;

/// Runs a program to its end and returns its standard output.
///
/// Output goes through unnamed files: no thread is needed to keep pipes from filling up.
pub(crate) fn run(mut command: Command, input: Option<&str>, limit: Duration) -> Result<String, Error> {
    let program = name(&command);
    let failed = |source| Error::Run { program: program.clone(), source };
    let mut output = tempfile::tempfile().map_err(failed)?;
    let mut messages = tempfile::tempfile().map_err(failed)?;
    command.stdin(match input {
        None => Stdio::null(),
        Some(text) => file_with(text).map_err(failed)?.into(),
    });
    command.stdout(output.try_clone().map_err(failed)?);
    command.stderr(messages.try_clone().map_err(failed)?);
    let mut child = command.spawn().map_err(failed)?;
    let Some(status) = wait(&mut child, limit).map_err(failed)? else {
        // It may have ended this instant; then both calls fail and nothing is left to do.
        let _ = child.kill();
        let _ = child.wait();
        return Err(Error::TimedOut { what: format!("`{program}`"), seconds: limit.as_secs() });
    };
    if !status.success() {
        let mut message = tail(&mut messages, MESSAGE_BYTES_MAX).map_err(failed)?;
        if message.trim().is_empty() {
            message = status.to_string();
        }
        return Err(Error::Failed { program, message: message.trim_end().into() });
    }
    if output.metadata().map_err(failed)?.len() > OUTPUT_BYTES_MAX {
        return Err(Error::OutputTooLong { program, bytes: OUTPUT_BYTES_MAX });
    }
    tail(&mut output, OUTPUT_BYTES_MAX).map_err(failed)
}

/// Waits for a child's end; `None` when it goes on beyond the limit.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// The last `bytes_max` bytes of a file, as text.
pub(crate) fn tail(file: &mut File, bytes_max: u64) -> std::io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(std::io::SeekFrom::Start(length.saturating_sub(bytes_max)))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn file_with(text: &str) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// A program's name for messages, without its folder.
pub(crate) fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn input_reaches_the_program_and_its_output_comes_back() {
        assert_eq!(run(shell("cat"), Some("a\nb"), Duration::from_secs(10)).unwrap(), "a\nb");
    }

    #[test]
    fn a_failure_tells_what_the_program_said() {
        let error = run(shell("echo no >&2; exit 3"), None, Duration::from_secs(10)).unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed: no");
    }

    #[test]
    fn a_program_beyond_its_limit_is_ended() {
        let started = Instant::now();
        let error = run(shell("exec sleep 60"), None, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
