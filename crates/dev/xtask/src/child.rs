//! Running a command with a limit on its time and its output.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Why a command gave no output.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started or read.
    #[error("`{command}` could not be run")]
    Run {
        /// The command.
        command: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It ended badly; its own words are on stderr.
    #[error("`{command}` failed")]
    Failed {
        /// The command.
        command: String,
    },
    /// It took too long and was ended.
    #[error("`{command}` was ended after {limit_seconds} s")]
    TimedOut {
        /// The command.
        command: String,
        /// The limit.
        limit_seconds: u64,
    },
    /// It wrote no text, or more than it may.
    #[error("the output of `{command}` is not text of at most {limit_bytes} bytes")]
    Output {
        /// The command.
        command: String,
        /// The limit.
        limit_bytes: u64,
    },
}

/// What a command writes on stdout; its stderr goes to ours.
pub(crate) fn output(command: &mut Command, limit: Duration, limit_bytes: u64) -> Result<String, ChildError> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |source| ChildError::Run { command: name.clone(), source };
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let stdout = child.stdout.take();
    // One byte more than allowed, so that too much is told from just enough.
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.map_or(Ok(0), |pipe| pipe.take(limit_bytes + 1).read_to_end(&mut bytes)).map(|_| bytes)
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if started.elapsed() > limit {
            let _gone = child.kill();
            let _status = child.wait();
            return Err(ChildError::TimedOut { command: name, limit_seconds: limit.as_secs() });
        }
        thread::sleep(LOOK_EVERY);
    };
    let bytes = reader
        .join()
        .unwrap_or_else(|_| Err(std::io::Error::other("the reading thread ended early")))
        .map_err(failed)?;
    if !status.success() {
        return Err(ChildError::Failed { command: name });
    }
    let too_long = u64::try_from(bytes.len()).map_or(true, |length| length > limit_bytes);
    match String::from_utf8(bytes) {
        Ok(text) if !too_long => Ok(text),
        _ => Err(ChildError::Output { command: name, limit_bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration, limit_bytes: u64) -> Result<String, ChildError> {
        output(Command::new("sh").args(["-c", script]), limit, limit_bytes)
    }

    #[test]
    fn output_is_bounded_in_time_and_size() {
        let minute = Duration::from_secs(60);
        assert_eq!(shell("printf abc", minute, 3).unwrap(), "abc");
        assert!(matches!(shell("printf abcd", minute, 3), Err(ChildError::Output { .. })));
        assert!(matches!(shell("exit 3", minute, 3), Err(ChildError::Failed { .. })));
        assert!(matches!(shell("exec sleep 60", Duration::ZERO, 3), Err(ChildError::TimedOut { .. })));
    }
}
