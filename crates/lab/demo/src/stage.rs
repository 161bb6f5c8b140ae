//! Two servers and a folder, as long as the demo lasts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Server, ServerOptions, client_tools};
use atalaya_verbs::{Naming, Narrator, Program};

use crate::{Error, Options};

/// The database on both servers, and the migration of the estate file.
pub(crate) const DATABASE: &str = "shop";

/// The servers; dropping it ends them and removes everything.
#[derive(Debug)]
pub struct Stage {
    /// The old server.
    pub source: Server,
    /// The new one.
    pub target: Server,
    pub(crate) source_url: ConnectionUrl,
    pub(crate) target_url: ConnectionUrl,
    /// The folder that the program is run in; its `.atalaya` is there.
    pub(crate) folder: tempfile::TempDir,
    /// Where pg_dump and pg_restore of the target's version are.
    pub(crate) client_tools: PathBuf,
}

impl Stage {
    /// The name of the database on both servers.
    pub const DATABASE: &str = DATABASE;

    /// Starts both servers, each with an empty database. Blocks for a second or two.
    pub(crate) fn set(options: &Options) -> Result<Self, Error> {
        let client_tools = client_tools(options.to)?;
        let folder = tempfile::Builder::new()
            .prefix("atalaya-demo-")
            .tempdir_in(&options.folder)
            .map_err(|source| Error::File { action: "create a folder in", path: options.folder.clone(), source })?;
        let source = Server::start(server_options(options.from, options))?;
        let target = Server::start(server_options(options.to, options))?;
        for server in [&source, &target] {
            server.create_database(DATABASE)?;
        }
        let source_url = ConnectionUrl::parse(&source.url(DATABASE))?;
        let target_url = ConnectionUrl::parse(&target.url(DATABASE))?;
        Ok(Self { source, target, source_url, target_url, folder, client_tools })
    }

    /// The program between these servers.
    pub(crate) fn program(&self, options: &Options, narrator: Arc<dyn Narrator>) -> Program {
        Program {
            path: options.program.clone(),
            folder: self.folder.path().into(),
            name: DATABASE,
            naming: Naming::Estate,
            source_url: self.source.url(DATABASE),
            target_url: self.target.url(DATABASE),
            client_tools: self.client_tools.clone(),
            narrator,
        }
    }
}

/// Durable, as a server with data that counts is; what it differs in from the defaults is what every DBA sets.
fn server_options(major: u16, options: &Options) -> ServerOptions {
    ServerOptions::new(major)
        .parent_folder(&options.folder)
        .durable()
        .setting("shared_buffers", "256MB")
        .setting("max_wal_size", "4GB")
}

/// Refuses when the disk could become full, before anything is written to it.
pub(crate) fn check_disk(options: &Options) -> Result<(), Error> {
    let free_bytes = free_bytes(&options.folder)?;
    let needed_bytes = options.disk_bytes();
    if free_bytes < needed_bytes {
        return Err(Error::DiskShort { folder: options.folder.clone(), free_bytes, needed_bytes });
    }
    Ok(())
}

fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let found = nix::sys::statvfs::statvfs(folder).map_err(|code| Error::File {
        action: "look at the disk of",
        path: folder.into(),
        source: code.into(),
    })?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}

/// Counts what the program has left behind on both servers. `atalaya.fence` is to stay: it keeps clients out of the old
/// server, and says of which epochs that is over.
pub(crate) async fn leftovers(stage: &Stage) -> Result<u64, Error> {
    let mut left = 0;
    for url in [&stage.source_url, &stage.target_url] {
        let session = Session::connect(url, "atalaya demo").await?;
        let row = session
            .query_one(
                "SELECT (SELECT count(*) FROM pg_catalog.pg_replication_slots)
                      + (SELECT count(*) FROM pg_catalog.pg_publication)
                      + (SELECT count(*) FROM pg_catalog.pg_class
                          WHERE relkind = 'r' AND relnamespace = to_regnamespace('atalaya') AND relname <> 'fence')",
                &[],
            )
            .await?;
        left += u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    }
    Ok(left)
}
