//! `atalaya migrate`: one file a verb.

mod abort;
mod add_table;
mod conflicts;
mod cutover;
mod finish;
mod led;
mod plan;
mod spool;
mod start;
mod status;
mod stop;
mod way_back;

pub(crate) use cutover::duration;

use crate::exit::Failure;
use crate::global::Context;

/// Verbs of `atalaya migrate`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MigrateCommand {
    /// Copy, then follow the source; the same command resumes.
    Start(start::StartArguments),
    /// Make tables that came later part of the move, or copy tables once more.
    AddTable(add_table::AddTableArguments),
    /// Show where a migration is.
    Status(status::StatusArguments),
    /// List conflicts with rows that somebody else wrote to the target.
    Conflicts(conflicts::ConflictsArguments),
    /// Apply what the source has written by now, then end the run; the slot is kept.
    Stop(stop::StopArguments),
    /// Lead clients to the new server through the gateways, with a way back.
    Cutover(cutover::CutoverArguments),
    /// Lead clients back to the old server, with everything that they have written since.
    Rollback(cutover::RollbackArguments),
    /// The way back: what is written to the new server, brought to the old one.
    WayBack(way_back::WayBackArguments),
    /// Remove everything of the migration's from both sides.
    Abort(abort::AbortArguments),
    /// Last fence, sequences and a clean proof, then remove slot, publications and our schema.
    Finish(finish::FinishArguments),
}

pub(crate) fn run(command: MigrateCommand, context: &Context) -> Result<u8, Failure> {
    match command {
        MigrateCommand::Start(arguments) => start::run(&arguments, context),
        MigrateCommand::AddTable(arguments) => add_table::run(&arguments, context),
        MigrateCommand::Status(arguments) => status::run(&arguments, context),
        MigrateCommand::Conflicts(arguments) => conflicts::run(&arguments, context),
        MigrateCommand::Stop(arguments) => stop::run(&arguments, context),
        MigrateCommand::Cutover(arguments) => cutover::cutover(&arguments, context),
        MigrateCommand::Rollback(arguments) => cutover::rollback(&arguments, context),
        MigrateCommand::WayBack(arguments) => way_back::run(&arguments, context),
        MigrateCommand::Abort(arguments) => abort::run(&arguments, context),
        MigrateCommand::Finish(arguments) => finish::run(&arguments, context),
    }
}

impl From<atalaya_replicate::Error> for Failure {
    fn from(error: atalaya_replicate::Error) -> Self {
        let code = if error.is_refusal() {
            crate::exit::REFUSED
        } else if error.is_difference() {
            crate::exit::DIFFERENT
        } else {
            crate::exit::FAILED
        };
        let hint = error.hint();
        Self::new(code, &error, hint)
    }
}
