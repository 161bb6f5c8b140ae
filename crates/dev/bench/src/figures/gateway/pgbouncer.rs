//! Debian's pgbouncer as a process of its own: the unpacked program, never the system's service.

use std::path::PathBuf;
use std::process::Command;

use atalaya_sandbox::{free_port, run_as_servers};

use super::ours::verifier;
use super::ways::{Front, PGBOUNCER, Pool};
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};

/// More than any figure has, for which it wants as many open files.
const CLIENTS_MAX: u32 = 12_000;

/// Starts it before the source, and waits until it takes connections.
///
/// Its clients log in by the server's own verifier, and it logs in to the server by what they prove with it: neither side
/// of the comparison hashes a password more often than the other.
pub(super) fn start(lab: &Lab, pool: Pool) -> Result<Front, Error> {
    let failed = |source| Error::Run { program: "mkdir".to_owned(), source };
    let folder = tempfile::tempdir().map_err(failed)?;
    let port = free_port()?;
    let users = folder.path().join("users.txt");
    std::fs::write(&users, format!("\"{}\" \"{}\"\n", lab.source.superuser().name(), verifier(lab)?))
        .map_err(failed)?;
    let configuration = folder.path().join("pgbouncer.ini");
    std::fs::write(&configuration, text(pool, lab.source.port(), port, &users.display().to_string()))
        .map_err(failed)?;
    let mut command = Command::new(program()?);
    command.arg(&configuration);
    run_as_servers(&mut command, folder.path())?;
    let mut running = child::background(&mut command)?;
    running.wait_for_port(port)?;
    Ok(Front { running, port, _folder: folder })
}

/// As it calls itself, such as `PgBouncer 1.18.0`.
pub(super) fn version() -> Result<String, Error> {
    let said = child::said(Command::new(program()?).arg("--version"))?;
    Ok(said.lines().next().unwrap_or(PGBOUNCER).to_owned())
}

fn program() -> Result<PathBuf, Error> {
    std::env::var_os("PGBOUNCER").map(PathBuf::from).ok_or(Error::Missing { program: PGBOUNCER.to_owned() })
}

/// What is not said is as it comes.
fn text(pool: Pool, server_port: u16, port: u16, users: &str) -> String {
    format!(
        "[databases]
{DATABASE} = host=127.0.0.1 port={server_port} dbname={DATABASE}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {pooling}
default_pool_size = {servers_max}
max_client_conn = {CLIENTS_MAX}
",
        pooling = pool.pooling.word(),
        servers_max = pool.servers_max,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_the_server_and_the_pool() {
        let text = text(Pool::TRANSACTION, 5432, 6432, "/x/users.txt");
        for line in [
            "bench = host=127.0.0.1 port=5432 dbname=bench",
            "listen_port = 6432",
            "auth_file = /x/users.txt",
            "pool_mode = transaction",
            "default_pool_size = 20",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
        }
    }
}
