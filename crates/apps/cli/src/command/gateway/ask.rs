//! Asking a gateway that serves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use atalaya_estate::ListenAddress;
use atalaya_gateway::admin::{AdminIdentity, AdminSocket, Answer, Refused, RemoteAdmin, Request};

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

/// Which gateway is asked: the one of this machine, or one that has `admin` in its estate file.
#[derive(Debug, clap::Args)]
pub(crate) struct AdminArguments {
    #[command(flatten)]
    socket: SocketArgument,
    /// The gateway of another machine, where its `gateway.admin` listens. HOST is what its certificate has to be for.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_parser = address,
        conflicts_with = "socket",
        requires_all = ["certificate", "key", "authority"]
    )]
    admin: Option<Address>,
    /// With --admin: the administrator's certificate and its chain, a PEM file.
    #[arg(long, value_name = "FILE", requires = "admin")]
    certificate: Option<PathBuf>,
    /// With --admin: the private key of the certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "admin")]
    key: Option<PathBuf>,
    /// With --admin: the authority that the gateway's certificate has to come from, a PEM file.
    #[arg(long, value_name = "FILE", requires = "admin")]
    authority: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct Address {
    host: String,
    port: u16,
}

/// A TCP address, as the estate file takes it.
fn address(text: &str) -> Result<Address, String> {
    match text.parse() {
        Ok(ListenAddress::Tcp { host, port }) => Ok(Address { host, port }),
        Ok(ListenAddress::Unix { .. }) => Err("a socket file is named with --socket".to_owned()),
        Err(error) => Err(format!("{error}; {}", error.hint())),
    }
}

/// Asks, and waits for the answer; a refusal is a failure.
pub(super) fn ask(
    arguments: &AdminArguments,
    request: &Request,
    limit: Duration,
    context: &Context,
) -> Result<Answer, Failure> {
    let answer = match arguments {
        AdminArguments {
            admin: Some(address),
            certificate: Some(certificate),
            key: Some(key),
            authority: Some(authority),
            ..
        } => {
            let files =
                AdminIdentity { certificate: certificate.clone(), key: key.clone(), authority: authority.clone() };
            let gateway = RemoteAdmin::new(&address.host, address.port, &files)?;
            let answer = runtime::block_on(gateway.ask(request, limit))?;
            answer.map_err(|error| nobody_at(address, &error))?
        }
        _ => {
            let path = arguments.socket.path(context);
            let answer = runtime::block_on(AdminSocket::ask(&path, request, limit))?;
            answer.map_err(|error| nobody_behind(&path, &error))?
        }
    };
    match answer {
        Answer::Refused(refused) => Err(refusal(&refused)),
        answer => Ok(answer),
    }
}

fn nobody_behind(path: &Path, error: &std::io::Error) -> Failure {
    Failure {
        code: exit::FAILED,
        message: format!("no gateway answers at `{}`: {error}", path.display()),
        hint: Some("start it with `atalaya gateway run`, or name its socket with --socket".to_owned()),
    }
}

fn nobody_at(address: &Address, error: &std::io::Error) -> Failure {
    Failure {
        code: exit::FAILED,
        message: format!("no gateway answers at `{}:{}`: {error}", address.host, address.port),
        hint: Some(
            "each side's certificate has to come from the authority that the other one names, and the gateway's has to be \
             for this host"
                .to_owned(),
        ),
    }
}

fn refusal(refused: &Refused) -> Failure {
    let (code, hint) = match refused {
        Refused::NoDatabase { .. } | Refused::NoPlace { .. } | Refused::NoRoute { .. } | Refused::Unknown => {
            (exit::USAGE, None)
        }
        Refused::Estate { .. } => (exit::USAGE, Some("the gateway goes on with the former one")),
        Refused::Paused { .. } => (exit::REFUSED, Some("`atalaya gateway resume` opens it")),
        Refused::PlaceClosed { .. } => (
            exit::REFUSED,
            Some(
                "each user's server secret has to hold there, too; the gate is closed still: resume without --to goes back",
            ),
        ),
        Refused::Held { .. } => (
            exit::REFUSED,
            Some("`atalaya gateway status` shows what it waits for; its log says why where the journal cannot be read"),
        ),
        Refused::Routed { .. } => {
            (exit::REFUSED, Some("`atalaya migrate cutover` and `rollback` lead it elsewhere, and write it down"))
        }
        Refused::Fenced { .. } => (exit::FAILED, Some("see that the server lets the role of the estate's URL in")),
        Refused::Journal { .. } | Refused::NoJournal => {
            (exit::FAILED, Some("the gateway reads the journal that its own --state or --journal names"))
        }
        Refused::EpochOpen { .. }
        | Refused::NoEpoch { .. }
        | Refused::Decided { .. }
        | Refused::Late { .. }
        | Refused::Undecided { .. }
        | Refused::NotNamed { .. }
        | Refused::NotReady { .. }
        | Refused::Elsewhere { .. } => (exit::REFUSED, None),
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
