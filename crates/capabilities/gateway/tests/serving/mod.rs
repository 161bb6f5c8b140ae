//! A gateway with metrics and administration, before a database of a real server.

mod authority;
mod reload;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use atalaya_estate::{ConnectionUrl, Estate};
use atalaya_gateway::{Configuration, ConfigurationError, Control, GatewayError, Routing, Start, prepare, verifier_of};
use atalaya_postgres::wire::{WireConnection, WireOptions};
use atalaya_sandbox::{free_port, fresh_database};
use tokio::sync::oneshot;

pub(crate) use authority::Authority;

const PASSWORD: &str = "the client's";

/// Serves until it is dropped. It has one worker, so that what a client was told of is counted before anybody can read
/// the count.
pub(crate) struct Serving {
    port: u16,
    control: Control,
    configure: Configure,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), GatewayError>>>,
}

/// Reads its estate, at the start and at each reload.
type Configure = Arc<dyn Fn() -> Result<Configuration, ConfigurationError> + Send + Sync>;

impl Serving {
    /// The gateway's database is `shop`; `lines` stand in the section `gateway`.
    pub(crate) fn start(lines: &str) -> Self {
        let (server, behind) = fresh_database(18).unwrap();
        let port = free_port().unwrap();
        let (lines, url) = (lines.to_owned(), server.url(&behind));
        let (user, secret) = (server.superuser().name().to_owned(), server.superuser().password().to_owned());
        let configure = Arc::new(move || configuration(port, &lines, &url, &user, &secret));
        Self::serve(port, configure, Start::Alone).unwrap()
    }

    /// Another gateway with the same estate, beside this one.
    pub(crate) fn another(&self, start: Start) -> Result<Self, GatewayError> {
        Self::serve(self.port, Arc::clone(&self.configure), start)
    }

    fn serve(port: u16, configure: Configure, start: Start) -> Result<Self, GatewayError> {
        let again = Arc::clone(&configure);
        let reload = Arc::new(move || again().map_err(|error| error.to_string()));
        let (prepared, control) = prepare(configure().unwrap(), reload, Routing::ByEstate);
        let (stop, stopped) = oneshot::channel::<()>();
        let (listening, is_listening) = mpsc::channel();
        let ending = control.clone();
        let thread = thread::spawn(move || {
            let end = || async move {
                let _stopped = stopped.await;
                ending.end(Duration::ZERO).await;
            };
            prepared.start(start).serve(move || listening.send(()).unwrap(), end)
        });
        if is_listening.recv().is_err() {
            // It ended before it listened.
            return Err(thread.join().unwrap().unwrap_err());
        }
        Ok(Self { port, control, configure, stop: Some(stop), thread: Some(thread) })
    }

    /// What steers it.
    pub(crate) fn control(&self) -> Control {
        self.control.clone()
    }

    /// Logs in at the gateway.
    pub(crate) async fn client(&self) -> WireConnection {
        let url = format!("postgres://app@127.0.0.1:{}/shop?sslmode=disable", self.port);
        let url = ConnectionUrl::parse(&url).unwrap().with_password(PASSWORD.to_owned());
        WireConnection::connect(&url, &WireOptions::default()).await.unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(matches!(ended, Ok(Ok(()))) || thread::panicking(), "the gateway failed");
        }
    }
}

/// What an estate with these lines is resolved to.
pub(crate) fn configuration(
    port: u16,
    lines: &str,
    url: &str,
    user: &str,
    secret: &str,
) -> Result<Configuration, ConfigurationError> {
    let verifier = verifier_of(PASSWORD, 4096);
    let text = format!(
        "estate: tests\ndatabases:\n  orders: {{ engine: postgres, url: '${{ORDERS}}' }}\ngateway:\n  \
         listen: 127.0.0.1:{port}\n  workers: 1\n{lines}  users:\n    app:\n      verifier: \"{verifier}\"\n      \
         secrets:\n        shop: {{ user: '{user}', secret: env:SECRET }}\n  databases:\n    \
         shop: {{ to: orders }}\n"
    );
    let lookup = |name: &str| match name {
        "ORDERS" => Some(url.to_owned()),
        "SECRET" => Some(secret.to_owned()),
        _ => None,
    };
    Configuration::resolve(&Estate::parse(&text, Path::new("atalaya.yaml"), &lookup).unwrap(), &lookup)
}
