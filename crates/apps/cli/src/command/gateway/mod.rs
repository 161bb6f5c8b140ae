//! `atalaya gateway`: one file a verb.

mod ask;
mod pause;
mod reload;
mod resume;
mod run;
mod status;
mod verifier;

use crate::exit::Failure;
use crate::global::Context;

/// Verbs of `atalaya gateway`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GatewayCommand {
    /// Serve clients, as the section `gateway` of the estate file says, until a signal comes.
    Run(run::RunArguments),
    /// Show clients, servers, gates and numbers.
    Status(status::StatusArguments),
    /// Hold new transactions of a database and wait until those that run are over.
    Pause(pause::PauseArguments),
    /// Open the gate again, before the same server or another one.
    Resume(resume::ResumeArguments),
    /// Read the estate file again, while clients go on.
    Reload(reload::ReloadArguments),
    /// Make the verifier of a password, for `users` in the estate file.
    Verifier(verifier::VerifierArguments),
}

pub(crate) fn run(command: GatewayCommand, context: &Context) -> Result<u8, Failure> {
    match command {
        GatewayCommand::Run(arguments) => run::run(&arguments, context),
        GatewayCommand::Status(arguments) => status::run(&arguments, context),
        GatewayCommand::Pause(arguments) => pause::run(&arguments, context),
        GatewayCommand::Resume(arguments) => resume::run(&arguments, context),
        GatewayCommand::Reload(arguments) => reload::run(&arguments, context),
        GatewayCommand::Verifier(arguments) => verifier::run(&arguments, context),
    }
}
