//! Ends a server whose owner was killed.
//!
//! A shell reads from a pipe that only the owner can write to. The pipe's end without a word means that the owner is
//! gone. Rejected: PR_SET_PDEATHSIG, which fires when the starting *thread* ends, and needs unsafe code.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Error;
use crate::process::wait;

const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// `$1` is the server's folder, `$2` its socket's folder. Processes are known as in `members.rs`.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
if read -r word; then exit 0; fi
data=$1/data
works_in_data() { [ "$(readlink "/proc/$1/cwd" 2>/dev/null)" = "$data" ]; }
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && works_in_data "$pid"; then
    kill -QUIT "$pid"
    waited=0
    while works_in_data "$pid" && [ "$waited" -lt 50 ]; do sleep 0.1; waited=$((waited + 1)); done
fi
round=0
while [ "$round" -lt 50 ]; do
    left=
    for process in /proc/[0-9]*; do
        if works_in_data "${process#/proc/}"; then left=yes; kill -KILL "${process#/proc/}"; fi
    done
    [ -n "$left" ] || break
    sleep 0.1
    round=$((round + 1))
done
rm -rf -- "$1" "$2"
"#;

/// The watching process. Dropping it without [`Watchdog::release`] has it end the server.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Begins to watch over a server's folder; to be called before the server starts.
    pub(crate) fn start(folder: &Path, socket: &Path) -> Result<Self, Error> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "atalaya-watchdog"])
            .args([folder, socket])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt from the terminal goes to the owner, which then stops its servers in its own order.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Run { program: "sh".into(), source })?;
        Ok(Self { shell })
    }

    /// Ends the watch and leaves the server alone.
    pub(crate) fn release(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // A watchdog that is gone already needs no word.
            let _ = pipe.write_all(b"release\n");
        }
        if !matches!(wait(&mut self.shell, RELEASE_LIMIT), Ok(Some(_))) {
            let _ = self.shell.kill();
            let _ = self.shell.wait();
        }
    }
}
