//! `cargo xtask`: the checks and generators of this repository.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::{architecture, reference};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  architecture                   fail when the tree breaks an invariant of its design
  reference [--check] [--stdin]  write docs/reference from the binary's own definitions;
                                 --check: fail when it is stale; --stdin: read the pages as JSON
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["architecture"] => check_architecture(),
        ["reference", flags @ ..] if flags.iter().all(|flag| matches!(*flag, "--check" | "--stdin")) => {
            make_reference(flags.contains(&"--check"), flags.contains(&"--stdin"))
        }
        _ => {
            let _closed = std::io::stderr().write_all(USAGE.as_bytes());
            return ExitCode::from(2);
        }
    };
    match result {
        Ok((text, code)) => {
            let _closed = std::io::stdout().write_all(text.as_bytes());
            code
        }
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut source = error.source();
            while let Some(inner) = source {
                text += &format!(": {inner}");
                source = inner.source();
            }
            let _closed = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(String, ExitCode), Box<dyn std::error::Error>>;

fn check_architecture() -> Outcome {
    let tree = architecture::Tree::read(&root())?;
    let violations = architecture::check(&tree);
    let code = if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok((architecture::report(&tree, &violations), code))
}

fn make_reference(check: bool, from_stdin: bool) -> Outcome {
    let json = if from_stdin {
        let mut text = String::new();
        std::io::stdin().take(reference::PAGES_BYTES_MAX).read_to_string(&mut text)?;
        text
    } else {
        reference::ask_binary(&root())?
    };
    let pages = reference::pages(&json)?;
    let folder = root().join("docs/reference");
    let changes = reference::compare(&folder, &pages)?;
    if check {
        let code = if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        return Ok((reference::report(&changes), code));
    }
    reference::write(&folder, &pages)?;
    Ok((format!("{} pages, {} changed\n", pages.len(), changes.len()), ExitCode::SUCCESS))
}

/// The workspace's root: three folders above this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap_or(Path::new(".")).to_owned()
}
