//! One server of a version for all tests of a process, and databases on it that nobody else has.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Server, ServerOptions};

static SERVERS: Mutex<Option<HashMap<u16, &'static Server>>> = Mutex::new(None);
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// An empty database on a server of this version, which is started for the first one that asks. It is stopped once the
/// process has ended; nobody may stop it before, since others use it.
///
/// # Errors
/// When the version is not there, or the server or the database cannot be made.
pub fn fresh_database(major: u16) -> Result<(&'static Server, String), Error> {
    // Held while it starts: who comes meanwhile waits for the same one.
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    let servers = servers.get_or_insert_default();
    let server = match servers.get(&major) {
        Some(server) => *server,
        None => {
            let server: &'static Server = Box::leak(Box::new(Server::start(ServerOptions::new(major))?));
            servers.insert(major, server);
            server
        }
    };
    let database = format!("fresh_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.create_database(&database)?;
    Ok((server, database))
}
