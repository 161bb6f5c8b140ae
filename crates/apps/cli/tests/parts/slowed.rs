//! A process that does everything, but late: it is stopped for most of the time.
//!
//! That is what a machine with ten times as much to do as it can, or a processor quota of a tenth, makes of it: it runs for a
//! while of each period and stands still for the rest. So everything is slow at once: what it answers to a coordinator, its own
//! way to the journal and to servers, and its clients' way through it. `netem` is not in every kernel, asks for root and slows the
//! network only; a control group asks for root, too.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::signal;

const RUNS: Duration = Duration::from_millis(10);
const STANDS: Duration = Duration::from_millis(90);

/// See the module; it goes on as ever when this is dropped, which has to be before anybody has waited for its end.
pub(super) struct Slowed {
    end: Option<Sender<()>>,
    slowing: Option<JoinHandle<()>>,
}

impl Slowed {
    pub(super) fn process(pid: i32) -> Self {
        let (end, ended) = channel();
        let slowing = std::thread::spawn(move || {
            let mut goes_on = true;
            while goes_on {
                signal(pid, Signal::SIGSTOP);
                goes_on = lasts(&ended, STANDS);
                signal(pid, Signal::SIGCONT);
                goes_on = goes_on && lasts(&ended, RUNS);
            }
        });
        Self { end: Some(end), slowing: Some(slowing) }
    }
}

/// Whether it is not over within a time.
fn lasts(ended: &Receiver<()>, time: Duration) -> bool {
    ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}

impl Drop for Slowed {
    fn drop(&mut self) {
        drop(self.end.take());
        // It panics where the process is gone: then nothing is slow any more.
        let _gone = self.slowing.take().map(JoinHandle::join);
    }
}
