//! `atalaya gateway run`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atalaya_gateway::admin::{AdminSocket, Request};
use atalaya_gateway::{Configuration, ConfigurationError, GatewayError, OpenRoutes, Routing, Start, prepare};
use tokio::signal::unix::{SignalKind, signal};

use super::ask::SocketArgument;
use crate::endpoints::read_estate;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;

/// Arguments of `atalaya gateway run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya --estate atalaya.yaml gateway run
  ATALAYA_LOG=info atalaya gateway run --drain 10

  gateway:
    listen: 127.0.0.1:6432
    users:
      app: { verifier: \"SCRAM-SHA-256$4096:...\", secrets: { shop: env:SHOP_PASSWORD } }
    databases:
      shop: { to: orders }

SIGHUP reads the estate again, as `gateway reload` does. SIGTERM and SIGINT end the gateway: no new client is let in, idle
clients are ended with SQLSTATE 57P01 and the others after their transaction. With --replace a new gateway, of a newer
version for one, takes the place of the one that serves: there is no moment at which nobody listens.

Where the journal (--state, --journal) says that a cutover has led a database elsewhere, clients are led there, whatever
the estate file says. As long as a journal that there is cannot be read, they wait.")]
pub(crate) struct RunArguments {
    #[command(flatten)]
    socket: SocketArgument,
    /// At the end: how many seconds transactions that run are waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    drain: u64,
    /// Take the place of the gateway that serves with the same folder for local state.
    #[arg(long)]
    replace: bool,
}

pub(super) fn run(arguments: &RunArguments, context: &Context) -> Result<u8, Failure> {
    let configuration = configuration(context)?;
    let addresses: Vec<String> = configuration.gateway().listen.iter().map(ToString::to_string).collect();
    let socket = arguments.socket.path(context);
    if let Some(folder) = socket.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure {
            code: exit::FAILED,
            message: format!("could not create `{}`: {error}", folder.display()),
            hint: None,
        })?;
    }
    let reload = {
        let context = context.clone();
        Arc::new(move || self::configuration(&context).map_err(|failure| failure.message))
    };
    let place = Journal::place(context)?;
    let open: OpenRoutes = Arc::new(move || {
        let place = place.clone();
        Box::pin(async move { Journal::routes(&place).await.map_err(|failure| failure.message) })
    });
    let (gateway, control) = prepare(configuration, reload, Routing::ByJournal(open));
    let listening = || {
        let document = serde_json::json!({ "listening": addresses });
        match context.output {
            crate::global::Output::Text => context.note(&format!("listening on {}", addresses.join(", "))),
            crate::global::Output::Json => context.print("", &document),
        }
    };
    let drain = Duration::from_secs(arguments.drain);
    let start = if arguments.replace { Start::Replacing } else { Start::Alone };
    let end = || async move {
        if start == Start::Replacing {
            hand_over(&socket).await;
        }
        let administration = AdminSocket::open(&socket)?;
        let administration = tokio::spawn(administration.serve(control.clone()));
        let taken = |kind| signal(kind).map_err(GatewayError::Worker);
        let (mut interrupt, mut terminate) = (taken(SignalKind::interrupt())?, taken(SignalKind::terminate())?);
        let mut hangup = taken(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = control.handed_over() => break,
                _ = hangup.recv() => {
                    if let Err(text) = control.reload().await {
                        tracing::error!(reason = text, "the estate cannot be served; the former one still is");
                    }
                }
            }
        }
        // Before clients are waited for: whoever comes next listens there.
        administration.abort();
        let _aborted = administration.await;
        control.end(drain).await;
        Ok::<_, GatewayError>(())
    };
    let served = gateway.start(start).serve(listening, end).and_then(|ended| ended);
    served.map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    Ok(exit::DONE)
}

/// Asks the gateway that serves to end, and waits until it no longer listens for administrators.
async fn hand_over(socket: &Path) {
    if let Err(error) = AdminSocket::ask(socket, &Request::HandOver, HAND_OVER).await {
        tracing::warn!(error = error.to_string(), "no gateway was there to be replaced");
    }
    let gone = async {
        while socket.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _late = tokio::time::timeout(HAND_OVER, gone).await;
}

/// How long a gateway may take to answer that it goes.
const HAND_OVER: Duration = Duration::from_secs(5);

fn configuration(context: &Context) -> Result<Configuration, Failure> {
    let estate = read_estate(context)?;
    Ok(Configuration::resolve(&estate, &Context::lookup)?)
}

impl From<ConfigurationError> for Failure {
    fn from(error: ConfigurationError) -> Self {
        let hint = error.hint();
        Self::new(exit::USAGE, &error, hint)
    }
}
