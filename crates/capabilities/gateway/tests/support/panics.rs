//! Panics within gateways. A session that panics ends alone, and to its client it looks like one that was hung up on.

use std::sync::{Mutex, Once};
use std::thread;

/// Threads of gateways that have panicked.
static PANICKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The name of a gateway's first thread; the others are numbered by the gateway itself.
pub(crate) fn thread_name(port: u16) -> String {
    format!("gateway at {port}")
}

/// Has panics noted from here on.
pub(crate) fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = thread::current();
            if let Some(name) = thread.name().filter(|name| name.starts_with("gateway")) {
                PANICKED.lock().unwrap().push(name.to_owned());
            }
            before(info);
        }));
    });
}

/// Whether a session of the gateway at this port has panicked. A thread that has only a number may be any gateway's.
pub(crate) fn has_panicked(port: u16) -> bool {
    let own = thread_name(port);
    PANICKED.lock().unwrap().iter().any(|name| *name == own || name.starts_with("gateway-"))
}
