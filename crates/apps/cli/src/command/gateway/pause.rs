//! `atalaya gateway pause`.

use std::time::Duration;

use atalaya_gateway::admin::{Answer, Request};

use super::ask::{AdminArguments, ask, unexpected};
use crate::exit::{self, Failure};
use crate::global::Context;

/// Arguments of `atalaya gateway pause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya gateway pause shop --drain 2
  atalaya gateway pause shop --drain 0.5 --hold 300

Exit code 1: transactions went on for longer than --drain; the gate is open again and nothing was cut.")]
pub(crate) struct PauseArguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// The gateway's name of the database.
    #[arg(value_name = "DATABASE")]
    database: String,
    /// How many seconds running transactions are waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    drain: f64,
    /// After so many seconds the gate opens by itself, should nobody resume.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    hold: f64,
}

pub(super) fn run(arguments: &PauseArguments, context: &Context) -> Result<u8, Failure> {
    let (drain, hold) = (Duration::from_secs_f64(arguments.drain), Duration::from_secs_f64(arguments.hold));
    let request = Request::Pause {
        database: arguments.database.clone(),
        drain_limit_ms: milliseconds(drain),
        hold_limit_ms: milliseconds(hold),
    };
    let Answer::Paused { epoch, drained_ms } = ask(&arguments.admin, &request, drain + ANSWER, context)? else {
        return Err(unexpected());
    };
    let text = format!(
        "paused `{}` under epoch {epoch}; the last transaction was over after {drained_ms} ms; opens by itself after {} s",
        arguments.database, arguments.hold
    );
    context.print(&text, &serde_json::json!({ "format": 1, "epoch": epoch, "drained_ms": drained_ms }));
    Ok(exit::DONE)
}

/// Beyond what was asked for.
const ANSWER: Duration = Duration::from_secs(10);

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number of seconds, a day at most.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400".to_owned()),
    }
}
