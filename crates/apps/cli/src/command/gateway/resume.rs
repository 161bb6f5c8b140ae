//! `atalaya gateway resume`.

use std::time::Duration;

use atalaya_gateway::admin::{Answer, Request};

use super::ask::{AdminArguments, ask, unexpected};
use crate::exit::{self, Failure};
use crate::global::Context;

const ANSWER: Duration = Duration::from_secs(10);

/// Arguments of `atalaya gateway resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya gateway resume shop
  atalaya gateway resume shop --epoch 3 --to orders-green

With --to the held transactions begin on the other server. Sessions that are bound to the former one (temporary tables,
LISTEN, advisory locks) are ended with SQLSTATE 57P01; `gateway status` lists them beforehand. The estate file is not
changed, and a reload leaves the database where it was led; a gateway that is started anew goes where the file says, so
write the new place there.")]
pub(crate) struct ResumeArguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// The gateway's name of the database.
    #[arg(value_name = "DATABASE")]
    database: String,
    /// The epoch that `pause` told; without it whatever is closed is opened.
    #[arg(long, value_name = "NUMBER")]
    epoch: Option<u64>,
    /// The database of the estate file that it leads to from here on.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
}

pub(super) fn run(arguments: &ResumeArguments, context: &Context) -> Result<u8, Failure> {
    let request =
        Request::Resume { database: arguments.database.clone(), epoch: arguments.epoch, to: arguments.to.clone() };
    let answer = ask(&arguments.admin, &request, ANSWER, context)?;
    let Answer::Resumed { paused_ms, clients_held, clients_ended, clients_misled } = answer else {
        return Err(unexpected());
    };
    let text = format!(
        "resumed `{}` after {paused_ms} ms; held: {clients_held}; ended, since bound to the former server: {clients_ended}; \
         since they know types by its numbers: {clients_misled}",
        arguments.database
    );
    let json = serde_json::json!({
        "format": 1, "paused_ms": paused_ms, "clients_held": clients_held, "clients_ended": clients_ended,
        "clients_misled": clients_misled,
    });
    context.print(&text, &json);
    Ok(exit::DONE)
}
