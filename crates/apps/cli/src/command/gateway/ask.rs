//! Asking a gateway that serves.

use std::path::PathBuf;
use std::time::Duration;

use atalaya_gateway::admin::{AdminSocket, Answer, Refused, Request};

use crate::exit::{self, Failure};
use crate::global::Context;
use crate::runtime;

/// Where the gateway's administration is.
#[derive(Debug, clap::Args)]
pub(crate) struct SocketArgument {
    /// The administration's socket, instead of `gateway.sock` in the folder for local state.
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

impl SocketArgument {
    pub(crate) fn path(&self, context: &Context) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| context.state.join("gateway.sock"))
    }
}

/// Asks, and waits for the answer; a refusal is a failure.
pub(super) fn ask(
    socket: &SocketArgument,
    request: &Request,
    limit: Duration,
    context: &Context,
) -> Result<Answer, Failure> {
    let path = socket.path(context);
    let answer = runtime::block_on(AdminSocket::ask(&path, request, limit))?;
    match answer {
        Ok(Answer::Refused(refused)) => Err(refusal(&refused)),
        Ok(answer) => Ok(answer),
        Err(error) => Err(Failure {
            code: exit::FAILED,
            message: format!("no gateway answers at `{}`: {error}", path.display()),
            hint: Some("start it with `atalaya gateway run`, or name its socket with --socket".to_owned()),
        }),
    }
}

fn refusal(refused: &Refused) -> Failure {
    let (code, hint) = match refused {
        Refused::NoDatabase { .. } | Refused::NoPlace { .. } | Refused::Unknown => (exit::USAGE, None),
        Refused::Estate { .. } => (exit::USAGE, Some("the gateway goes on with the former one")),
        Refused::Paused { .. } => (exit::REFUSED, Some("`atalaya gateway resume` opens it")),
        Refused::PlaceClosed { .. } => (
            exit::REFUSED,
            Some(
                "each user's server secret has to hold there, too; the gate is closed still: resume without --to goes back",
            ),
        ),
        Refused::NotPaused => (exit::REFUSED, Some("`atalaya gateway status` shows each gate")),
        Refused::NotDrained { .. } => {
            (exit::FAILED, Some("end the long transactions, or give them longer with --drain; nothing was cut"))
        }
    };
    Failure { hint: hint.map(str::to_owned), ..Failure::new(code, refused, None) }
}

/// An answer that does not belong to its question.
pub(super) fn unexpected() -> Failure {
    Failure { code: exit::FAILED, message: "the gateway answers something else".to_owned(), hint: None }
}
