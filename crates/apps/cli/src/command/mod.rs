//! One file a noun; each holds its arguments and the wiring from them to a capability.

mod assess;
mod demo;
mod drill;
mod gateway;
mod hold_snapshot;
mod journal;
mod migrate;
mod reference;
mod sandbox;
mod validate;

use crate::exit::Failure;
use crate::global::Context;

/// What can be asked of the binary.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say before a move what would break it.
    Assess(assess::AssessArguments),
    /// Move a live database.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Prove that two databases hold the same rows.
    Validate(validate::ValidateArguments),
    /// Serve clients of Postgres databases: pooled connections, and a gate that holds them while a database moves.
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// Look into the journal: what was decided and done, by whom, and that nobody has changed it.
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Start and stop real throwaway servers.
    #[command(subcommand)]
    Sandbox(sandbox::SandboxCommand),
    /// Watch a live move of a generated shop, from start to proof.
    Demo(demo::DemoArguments),
    /// Move a clone of your own schema under kills and other faults.
    Drill(drill::DrillArguments),
    /// Hold a copy's snapshot; started by `migrate start`.
    #[command(hide = true)]
    HoldSnapshot,
    /// Print the generated pages of the reference.
    #[command(hide = true)]
    Reference,
}

/// Runs a command; the answer is its exit code.
pub(crate) fn dispatch(command: Command, context: &Context) -> Result<u8, Failure> {
    match command {
        Command::Assess(arguments) => assess::run(arguments, context),
        Command::Migrate(command) => migrate::run(command, context),
        Command::Validate(arguments) => validate::run(&arguments, context),
        Command::Gateway(command) => gateway::run(command, context),
        Command::Journal(command) => journal::run(command, context),
        Command::Sandbox(command) => sandbox::run(command, context),
        Command::Demo(arguments) => demo::run(&arguments, context),
        Command::Drill(arguments) => drill::run(&arguments, context),
        Command::HoldSnapshot => hold_snapshot::run(),
        Command::Reference => reference::run(context),
    }
}
