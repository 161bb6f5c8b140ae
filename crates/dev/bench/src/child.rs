//! Runs a program to its end, with a limit, and says how long it took.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::memory::Peak;

/// No program measured here takes nearly as long.
const LIMIT: Duration = Duration::from_secs(1200);
/// Until a program that listens takes connections.
const LISTENING_LIMIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const SAID_BYTES: u64 = 4096;

/// Runs one program; how long it took.
pub(crate) fn time(command: &mut Command) -> Result<Duration, Error> {
    let begun = Instant::now();
    let mut running = Running::start(command)?;
    running.wait(|| {})?;
    Ok(begun.elapsed())
}

/// Runs one program; the end of what it wrote.
pub(crate) fn said(command: &mut Command) -> Result<String, Error> {
    let mut running = Running::start(command)?;
    running.wait(|| {})?;
    Ok(running.said())
}

/// Runs one program; the last line that it wrote.
pub(crate) fn last_line(command: &mut Command) -> Result<String, Error> {
    Ok(said(command)?.lines().next_back().unwrap_or_default().to_owned())
}

/// Runs several programs at once; how long it took until the last had ended.
pub(crate) fn time_together(commands: &mut [Command]) -> Result<Duration, Error> {
    let begun = Instant::now();
    let mut all = commands.iter_mut().map(Running::start).collect::<Result<Vec<_>, _>>()?;
    for running in &mut all {
        running.wait(|| {})?;
    }
    Ok(begun.elapsed())
}

/// Runs our program and watches the memory of all of its processes.
pub(crate) fn watch(command: &mut Command, program: &Path) -> Result<Peak, Error> {
    let mut running = Running::start(command)?;
    let mut peak = Peak::of(program, running.child.id());
    running.wait(|| peak.look())?;
    Ok(peak)
}

/// Runs a program beside others; ended when dropped.
pub(crate) fn background(command: &mut Command) -> Result<Running, Error> {
    Running::start(command)
}

/// A program that runs.
pub(crate) struct Running {
    child: Child,
    name: String,
    output: File,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self, Error> {
        let name = command.get_program().to_string_lossy().into_owned();
        let failed = |source| Error::Run { program: name.clone(), source };
        // A file takes any amount of output without a reader that would cost time.
        let output = tempfile::tempfile().map_err(failed)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output.try_clone().map_err(failed)?)
            .spawn();
        match child {
            Ok(child) => Ok(Self { child, name, output }),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Err(Error::Missing { program: name }),
            Err(source) => Err(failed(source)),
        }
    }

    fn wait(&mut self, mut meanwhile: impl FnMut()) -> Result<(), Error> {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {}
                Err(source) => return Err(Error::Run { program: self.name.clone(), source }),
            }
            if begun.elapsed() > LIMIT {
                return Err(Error::TimedOut { program: self.name.clone(), limit: LIMIT });
            }
            meanwhile();
            thread::sleep(LOOK_EVERY);
        };
        if status.success() {
            return Ok(());
        }
        Err(Error::Failed { program: self.name.clone(), status, said: self.said() })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it takes connections on a port of loopback.
    pub(crate) fn wait_for_port(&mut self, port: u16) -> Result<(), Error> {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    return Err(Error::Failed { program: self.name.clone(), status, said: self.said() });
                }
                Ok(None) => {}
                Err(source) => return Err(Error::Run { program: self.name.clone(), source }),
            }
            if begun.elapsed() > LISTENING_LIMIT {
                return Err(Error::TimedOut { program: self.name.clone(), limit: LISTENING_LIMIT });
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// The end of what it wrote.
    fn said(&mut self) -> String {
        let mut said = Vec::new();
        let length = self.output.metadata().map_or(0, |data| data.len());
        let _unread = self
            .output
            .seek(SeekFrom::Start(length.saturating_sub(SAID_BYTES)))
            .and_then(|_| (&self.output).take(SAID_BYTES).read_to_end(&mut said));
        String::from_utf8_lossy(&said).trim_end().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already makes both calls fail, and that is all there is to it.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
