//! A driver's program that stays, and does a step for each line that it is told.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(240);

/// The program; it ends when dropped.
pub(crate) struct Driver {
    pub(crate) name: &'static str,
    child: Child,
    told: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Driver {
    pub(crate) fn start(name: &'static str, mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, said) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Ends with the program.
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let told = child.stdin.take();
        Self { name, child, told, said }
    }

    pub(crate) fn tell(&mut self, step: &str) {
        let told = self.told.as_mut().unwrap();
        writeln!(told, "{step}").and_then(|()| told.flush()).unwrap();
    }

    pub(crate) fn says(&self, wanted: &str, step: &str) {
        assert_eq!(self.said(), wanted, "{}, {step}", self.name);
    }

    /// Its next line.
    pub(crate) fn said(&self) -> String {
        self.said.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{} says nothing any more", self.name))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.told.take();
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
