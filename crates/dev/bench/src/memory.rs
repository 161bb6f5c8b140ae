//! The peak memory of all our processes together: the program, its children, and the snapshot's holder, which is a
//! process of its own.
//!
//! At each look the high-water marks (`VmHWM`) of the processes that live are added up, so a peak between two looks
//! is counted too, and the sum is never less than what was used at one time.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What was seen so far.
#[derive(Debug)]
pub(crate) struct Peak {
    program: PathBuf,
    root: u32,
    /// The greatest sum, in bytes.
    pub(crate) bytes: u64,
    /// Names of the processes of that sum.
    pub(crate) processes: Vec<String>,
}

impl Peak {
    /// For a program that runs as process `root`.
    pub(crate) fn of(program: &Path, root: u32) -> Self {
        let program = program.canonicalize().unwrap_or_else(|_| program.to_owned());
        Self { program, root, bytes: 0, processes: Vec::new() }
    }

    /// Adds up what lives now.
    pub(crate) fn look(&mut self) {
        let all = processes();
        let mut ours: HashSet<u32> = HashSet::from([self.root]);
        // Another process of the same program is the holder, whatever process it is a child of by now.
        ours.extend(
            all.keys().filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == self.program)),
        );
        loop {
            let before = ours.len();
            ours.extend(
                all.iter()
                    .filter(|(_, process)| ours.contains(&process.parent))
                    .map(|(pid, _)| *pid)
                    .collect::<Vec<_>>(),
            );
            if ours.len() == before {
                break;
            }
        }
        let marks: Vec<(String, u64)> =
            ours.iter().filter_map(|pid| Some((all.get(pid)?.name.clone(), high_water_mark(*pid)?))).collect();
        let sum = marks.iter().map(|(_, bytes)| bytes).sum();
        if sum > self.bytes {
            self.bytes = sum;
            self.processes = marks.into_iter().map(|(name, _)| name).collect();
            self.processes.sort();
        }
    }
}

/// The resident memory of a process that lives, in bytes.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmRSS:")
}

struct Process {
    name: String,
    parent: u32,
}

fn processes() -> HashMap<u32, Process> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, process(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect()
}

/// `PID (NAME) STATE PPID …`; a name may hold anything, so the last parenthesis ends it.
fn process(stat: &str) -> Option<Process> {
    let (front, rest) = stat.rsplit_once(')')?;
    let name = front.split_once('(')?.1.to_owned();
    Some(Process { name, parent: rest.split_whitespace().nth(1)?.parse().ok()? })
}

fn high_water_mark(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let read = process("12 (a) b) S 7 12 12 0").unwrap();
        assert_eq!((read.name.as_str(), read.parent), ("a) b", 7));
    }

    #[test]
    fn what_is_resident_now_is_at_most_what_was_at_the_peak() {
        let pid = std::process::id();
        let now = resident(pid).unwrap();
        assert!(now > 1 << 20 && now <= high_water_mark(pid).unwrap());
    }

    #[test]
    fn this_process_and_its_children_are_counted() {
        let program = std::env::current_exe().unwrap();
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut peak = Peak::of(&program, std::process::id());
        peak.look();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(peak.processes.iter().any(|name| name == "cat"), "{:?}", peak.processes);
        assert!(peak.bytes > 1 << 20);
    }
}
