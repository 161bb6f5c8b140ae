//! The global options, and the way from arguments to an exit code.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::command::{self, Command};
use crate::exit::{self, Failure};
use crate::logging;

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed; the same command can be run again
  2  wrong usage
  3  a difference or violation was found
  4  refused because it would not be safe

Environment:
  ATALAYA_LOG  what is logged to stderr: error, warn (the default), info, debug, trace";

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs: one documented, versioned JSON document.
    Json,
}

/// Move, watch, guard and govern databases.
#[derive(Debug, Parser)]
#[command(name = "atalaya", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The estate file.
    #[arg(long, global = true, value_name = "FILE", default_value = "atalaya.yaml")]
    pub(crate) estate: PathBuf,
    /// The folder for local state.
    #[arg(long, global = true, value_name = "DIR", default_value = ".atalaya")]
    pub(crate) state: PathBuf,
    /// A Postgres that keeps the journal, for several machines that share it: a URL or `env:VARIABLE`. Without it, the journal
    /// is the file `journal.db` in the folder for local state.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) journal: Option<String>,
    /// How results are written.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub(crate) output: Output,
    #[command(subcommand)]
    command: Command,
}

/// What every command gets besides its own arguments.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The estate file's path; it need not exist when URLs are given.
    pub(crate) estate: PathBuf,
    /// The folder for local state; it may not exist yet.
    pub(crate) state: PathBuf,
    /// The Postgres that keeps the journal, as it was named.
    pub(crate) journal: Option<String>,
    /// How results are written.
    pub(crate) output: Output,
}

impl Context {
    /// Writes a result: `text` for people, or `json` as one document.
    pub(crate) fn print(&self, text: &str, json: &serde_json::Value) {
        let written = match self.output {
            Output::Text => text.to_owned(),
            Output::Json => json.to_string(),
        };
        // A reader that has gone (a closed pipe) is no failure of the work that was done.
        let _closed = writeln!(std::io::stdout().lock(), "{}", written.trim_end());
    }

    /// Writes a line about what goes on to stderr: plain, or as JSON where results are JSON and no terminal shows it.
    pub(crate) fn note(&self, text: &str) {
        note_line(self.output, text);
    }

    /// The environment, handed to the layers below, which never read it themselves.
    pub(crate) fn lookup(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// The folders of PATH.
    pub(crate) fn program_folders() -> Vec<PathBuf> {
        Self::lookup("PATH").map_or_else(Vec::new, |path| std::env::split_paths(&path).collect())
    }
}

/// [`Context::note`] for those who outlive a context.
pub(crate) fn note_line(output: Output, text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _closed = if stderr.is_terminal() || output == Output::Text {
        writeln!(stderr, "{text}")
    } else {
        writeln!(stderr, "{}", serde_json::json!({ "note": text }))
    };
}

/// Reads the arguments, runs the command, reports its failure.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::DONE };
            let _closed = error.print();
            return ExitCode::from(code);
        }
    };
    let context = Context {
        estate: arguments.estate,
        state: arguments.state,
        journal: arguments.journal,
        output: arguments.output,
    };
    match logging::install(context.output).and_then(|()| command::dispatch(arguments.command, &context)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            report(&context, &failure);
            ExitCode::from(failure.code)
        }
    }
}

fn report(context: &Context, failure: &Failure) {
    let mut stderr = std::io::stderr().lock();
    let _closed = match context.output {
        Output::Text => writeln!(stderr, "error: {}", failure.message).and_then(|()| match &failure.hint {
            Some(hint) => writeln!(stderr, "hint: {hint}"),
            None => Ok(()),
        }),
        Output::Json => writeln!(
            stderr,
            "{}",
            serde_json::json!({ "error": failure.message, "hint": failure.hint, "exit": failure.code })
        ),
    };
}
