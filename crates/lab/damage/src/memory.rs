//! Tests run once more in a process that cannot have more than so much memory.
//!
//! Room that is asked for and never touched shows in no figure of what a process uses. Where it cannot be had, it ends the
//! process; so a decoder that makes room for what a length promises does not come through here.

use std::io;
use std::process::Command;

/// Why tests did not come through with little memory.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The system's word.
    #[error("the tests could not be run")]
    NotRun(#[source] io::Error),
    /// What they said.
    #[error("the tests did not come through with so little memory:\n{0}")]
    Failed(String),
}

/// Runs those tests of this program that have one of these words in their names, one after the other, with so many MiB of
/// address space. Whoever calls it must have none of the words in its name, or it would call itself for ever.
///
/// # Errors
/// When one fails, when none has such a name, or when they cannot be run.
pub fn within_memory(limit_mib: u32, words: &[&str]) -> Result<(), MemoryError> {
    let program = std::env::current_exe().map_err(MemoryError::NotRun)?;
    let ran = Command::new("sh")
        .args(["-c", &format!("ulimit -v {} && exec \"$0\" \"$@\"", limit_mib << 10)])
        .arg(program)
        .args(["--test-threads", "1"])
        .args(words)
        // Else each thread would set aside a part of it for itself.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .map_err(MemoryError::NotRun)?;
    let said = [&ran.stdout[..], &ran.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    match ran.status.success() && !said.contains("running 0 tests") {
        true => Ok(()),
        false => Err(MemoryError::Failed(said)),
    }
}
