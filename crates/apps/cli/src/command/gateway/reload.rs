//! `atalaya gateway reload`.

use std::time::Duration;

use atalaya_gateway::admin::{Answer, Request};

use super::ask::{AdminArguments, ask, unexpected};
use crate::exit::{self, Failure};
use crate::global::Context;

const ANSWER: Duration = Duration::from_secs(10);

/// Arguments of `atalaya gateway reload`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya gateway reload

Users, secrets, databases, limits and certificates are taken anew, all of them or none. Where the gateway listens and how
many workers it has changes at its next start.")]
pub(crate) struct ReloadArguments {
    #[command(flatten)]
    admin: AdminArguments,
}

pub(super) fn run(arguments: &ReloadArguments, context: &Context) -> Result<u8, Failure> {
    let Answer::Reloaded = ask(&arguments.admin, &Request::Reload, ANSWER, context)? else {
        return Err(unexpected());
    };
    context.print("the estate was read again", &serde_json::json!({ "format": 1, "reloaded": true }));
    Ok(exit::DONE)
}
