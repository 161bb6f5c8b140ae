//! Failpoints, for tests of the built program: `ATALAYA_FAILPOINT=name:N` ends the process by
//! SIGKILL when the named place is reached for the Nth time, `name:N:stop` halts it there by SIGSTOP until the
//! test sends SIGCONT, `name:N:stop-each` does so every N times. Only in builds with debug assertions.

use atalaya_control::Failpoints;

/// What the environment asks for; nothing in a release build.
pub(crate) fn from_environment() -> Failpoints {
    #[cfg(debug_assertions)]
    if let Some(wanted) = crate::global::Context::lookup("ATALAYA_FAILPOINT") {
        return armed(&wanted);
    }
    Failpoints::none()
}

#[cfg(debug_assertions)]
fn armed(wanted: &str) -> Failpoints {
    use std::sync::atomic::{AtomicU64, Ordering};

    use nix::sys::signal::{Signal, raise};

    let mut parts = wanted.split(':');
    let name = parts.next().unwrap_or_default().to_owned();
    let count = parts.next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(1);
    // A kill is as a power cut: nothing after it can be relied on. A halt lets a test change the world in between.
    let (signal, again) = match parts.next() {
        Some("stop") => (Signal::SIGSTOP, false),
        Some("stop-each") => (Signal::SIGSTOP, true),
        _ => (Signal::SIGKILL, false),
    };
    let reached = AtomicU64::new(0);
    Failpoints::new(move |place| {
        if place != name {
            return;
        }
        let times = reached.fetch_add(1, Ordering::Relaxed) + 1;
        if times == count || (again && times.is_multiple_of(count)) {
            let _raised = raise(signal);
        }
    })
}
