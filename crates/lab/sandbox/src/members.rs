//! The processes of a server, known by their working folder.
//!
//! Each of Postgres's processes leads a session of its own, so no process group holds them; all stay in the data
//! folder. A process id alone is never trusted: it may have been given to another process since.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::POLL;

fn works_in(pid: i32, data: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
}

/// All living processes that work in a data folder; the path must be free of links.
pub(crate) fn of(data: &Path) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| works_in(*pid, data))
        .collect()
}

/// The postmaster named in a data folder's lock file, if it lives and works there.
pub(crate) fn postmaster(data: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    works_in(pid, data).then_some(pid)
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn send(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Ends every process of a data folder by SIGKILL; false when one is left at the end of the limit.
pub(crate) fn kill_all(data: &Path, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    // First, so that nobody starts further processes.
    if let Some(pid) = postmaster(data) {
        send(pid, Signal::SIGKILL);
    }
    loop {
        let left = of(data);
        if left.is_empty() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        for pid in left {
            send(pid, Signal::SIGKILL);
        }
        thread::sleep(POLL);
    }
}
