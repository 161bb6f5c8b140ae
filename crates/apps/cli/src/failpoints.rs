//! Failpoints of the move, for tests of the built program: `ATALAYA_FAILPOINT=name:N` ends the process by
//! SIGKILL when the named place is reached for the Nth time. Only in builds with debug assertions.

use atalaya_replicate::Failpoints;

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

    let (name, count) = wanted.split_once(':').unwrap_or((wanted, "1"));
    let (name, count) = (name.to_owned(), count.parse::<u64>().unwrap_or(1));
    let reached = AtomicU64::new(0);
    Failpoints::new(move |place| {
        if place == name && reached.fetch_add(1, Ordering::Relaxed) + 1 == count {
            // The process ends here: nothing after it can be relied on, as in a power cut.
            let _raised = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    })
}
