//! `atalaya journal`: one file a verb.

mod export;
mod key;
mod sagas;
mod show;
mod shown;
mod tail;
mod verify;

use crate::exit::Failure;
use crate::global::Context;

/// Verbs of `atalaya journal`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum JournalCommand {
    /// Show the last events, and those that come.
    Tail(tail::TailArguments),
    /// Show one event, or the events of one stream, in full.
    Show(show::ShowArguments),
    /// Prove that no event was changed, removed, inserted or cut off; exit 3 where one was.
    Verify(verify::VerifyArguments),
    /// Sign what the journal is now, and write it to a folder of another trust domain.
    Export(export::ExportArguments),
    /// Make the key that signs exports.
    Key(key::KeyArguments),
    /// List operations in steps, and decide about those that are stuck.
    Sagas(sagas::SagasArguments),
}

pub(crate) fn run(command: JournalCommand, context: &Context) -> Result<u8, Failure> {
    match command {
        JournalCommand::Tail(arguments) => tail::run(&arguments, context),
        JournalCommand::Show(arguments) => show::run(&arguments, context),
        JournalCommand::Verify(arguments) => verify::run(&arguments, context),
        JournalCommand::Export(arguments) => export::run(&arguments, context),
        JournalCommand::Key(arguments) => key::run(&arguments, context),
        JournalCommand::Sagas(arguments) => sagas::run(&arguments, context),
    }
}
