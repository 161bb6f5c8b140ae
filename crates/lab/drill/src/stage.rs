//! Two servers, a proxy before each, and a folder, as long as the drill lasts.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atalaya_estate::ConnectionUrl;
use atalaya_sandbox::{Proxy, Server, ServerOptions, client_tools};
use atalaya_verbs::{Naming, Narrator, Program};

use crate::{Error, Options};

/// The database on both servers, and the migration's name.
pub(crate) const NAME: &str = "drill";

/// One side.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    server: Arc<Mutex<Server>>,
    pub(crate) proxy: Arc<Proxy>,
    /// Past the proxy: what clients write to must not suffer from its faults.
    pub(crate) url: ConnectionUrl,
    /// Through the proxy, password included.
    pub(crate) proxied_url: String,
}

impl Side {
    fn start(major: u16, options: &Options) -> Result<Self, Error> {
        // Durable, or a killed server could not keep its word.
        let server = Server::start(ServerOptions::new(major).parent_folder(&options.folder).durable())?;
        server.create_database(NAME)?;
        let proxy = Proxy::start(server.port())?;
        let url = server.url(NAME);
        let (proxied_url, url) = (proxy.url(&url), ConnectionUrl::parse(&url)?);
        Ok(Self { server: Arc::new(Mutex::new(server)), proxy: Arc::new(proxy), url, proxied_url })
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that blocks with the server.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Server) -> Result<T, atalaya_sandbox::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let side = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&mut side.server())).await;
        Ok(done.map_err(|_| Error::Ended)??)
    }

    /// Asks by psql, which is none of the program's code.
    pub(crate) async fn psql(&self, sql: impl Into<String>) -> Result<String, Error> {
        let sql = sql.into();
        self.with(move |server| server.run_sql(NAME, &sql)).await
    }
}

/// The servers; dropping it ends them and removes everything.
#[derive(Debug)]
pub struct Stage {
    pub(crate) source: Side,
    pub(crate) target: Side,
    /// The folder that the program is run in; its `.atalaya` is there.
    pub(crate) folder: tempfile::TempDir,
    client_tools: PathBuf,
    /// Both major versions.
    pub(crate) from: u16,
    pub(crate) to: u16,
}

impl Stage {
    /// The name of the database on both servers.
    pub const DATABASE: &str = NAME;

    /// Starts both servers, each with an empty database. Blocks for a second or two.
    pub(crate) fn set(options: &Options, from: u16, to: u16) -> Result<Self, Error> {
        let client_tools = client_tools(to)?;
        let folder = tempfile::Builder::new()
            .prefix("atalaya-drill-")
            .tempdir_in(&options.folder)
            .map_err(|source| Error::File { action: "create a folder in", path: options.folder.clone(), source })?;
        let (source, target) = (Side::start(from, options)?, Side::start(to, options)?);
        Ok(Self { source, target, folder, client_tools, from, to })
    }

    /// The program between these servers, through their proxies.
    pub(crate) fn program(&self, options: &Options, narrator: Arc<dyn Narrator>) -> Program {
        Program {
            path: options.program.clone(),
            folder: self.folder.path().into(),
            name: NAME,
            naming: Naming::Urls,
            source_url: self.source.proxied_url.clone(),
            target_url: self.target.proxied_url.clone(),
            client_tools: self.client_tools.clone(),
            narrator,
        }
    }

    /// Both servers, to be kept; none when something still works with one.
    #[must_use]
    pub fn into_servers(self) -> Vec<Server> {
        [self.source, self.target]
            .into_iter()
            .filter_map(|side| Arc::into_inner(side.server)?.into_inner().ok())
            .collect()
    }
}
