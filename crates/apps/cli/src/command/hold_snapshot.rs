//! The hidden command that holds a copy's snapshot in a process of its own.

use std::io::{Read, Write};

use atalaya_replicate::HoldRequest;

use crate::exit::{self, Failure};
use crate::runtime;

/// A request is small; more is not one of ours.
const REQUEST_BYTES: u64 = 1 << 20;

pub(crate) fn run() -> Result<u8, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(REQUEST_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    let request: HoldRequest = serde_json::from_str(&text)
        .map_err(|_| Failure::usage("this command is started by `atalaya migrate start`"))?;
    let answer = |line: &str| {
        let mut stdout = std::io::stdout().lock();
        // The run that asked may be gone already; the snapshot is held for the next one.
        let _closed = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    };
    let held = runtime::block_on(atalaya_replicate::hold(&request, answer))?;
    if let Err(error) = held {
        let failure = Failure::from(error);
        answer(&serde_json::json!({ "error": failure.message }).to_string());
        return Err(failure);
    }
    Ok(exit::DONE)
}
