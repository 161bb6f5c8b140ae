//! Our gateway as a process of its own, told by an estate file.

use std::path::Path;

use atalaya_sandbox::free_port;

use super::certificate::Certificate;
use super::ways::{Front, Pool};
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};

/// The password of the only user towards the server travels by it.
const PASSWORD: &str = "BENCH_PASSWORD";
const CERTIFICATE: &str = "gateway.crt";
const KEY: &str = "gateway.key";

/// What it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a> {
    pub(super) pool: Pool,
    pub(super) workers: u16,
    /// TLS towards clients, by this certificate.
    pub(super) tls: Option<&'a Certificate>,
}

/// Starts it before the source, and waits until it takes connections.
pub(super) fn start(lab: &Lab, options: Options<'_>) -> Result<Front, Error> {
    let failed = |source| Error::Run { program: "mkdir".to_owned(), source };
    let folder = tempfile::tempdir().map_err(failed)?;
    let port = free_port()?;
    if let Some(certificate) = options.tls {
        std::fs::write(folder.path().join(CERTIFICATE), &certificate.chain).map_err(failed)?;
        std::fs::write(folder.path().join(KEY), &certificate.key).map_err(failed)?;
    }
    let role = lab.source.superuser();
    let text = estate(
        &options,
        folder.path(),
        port,
        &Login { lab_port: lab.source.port(), user: role.name(), verifier: &verifier(lab)? },
    );
    let estate = folder.path().join("estate.yaml");
    std::fs::write(&estate, text).map_err(failed)?;
    let mut command = std::process::Command::new(&lab.program);
    command.arg("--estate").arg(&estate).arg("--state").arg(folder.path().join("state")).args(["gateway", "run"]);
    let mut running = child::background(command.env(PASSWORD, role.password()))?;
    running.wait_for_port(port)?;
    Ok(Front { running, port, _folder: folder })
}

/// What the server keeps instead of the password: who knows the password can log in by it, to the pools too.
pub(super) fn verifier(lab: &Lab) -> Result<String, Error> {
    let user = lab.source.superuser().name();
    Ok(lab.source.run_sql(DATABASE, &format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'"))?)
}

struct Login<'a> {
    lab_port: u16,
    user: &'a str,
    verifier: &'a str,
}

fn estate(options: &Options<'_>, folder: &Path, port: u16, login: &Login<'_>) -> String {
    let Login { lab_port, user, verifier } = login;
    let tls = options.tls.map_or_else(String::new, |_| {
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        format!("  tls: {{ certificate: \"{}\", key: \"{}\" }}\n", certificate.display(), key.display())
    });
    format!(
        "estate: bench
databases:
  shop: {{ engine: postgres, url: \"postgres://{user}@127.0.0.1:{lab_port}/{DATABASE}\" }}
gateway:
  listen: 127.0.0.1:{port}
  workers: {workers}
{tls}  users:
    {user}:
      verifier: \"{verifier}\"
      secrets: {{ {DATABASE}: env:{PASSWORD} }}
  databases:
    {DATABASE}: {{ to: shop, pooling: {pooling}, servers_max: {servers_max} }}
",
        workers = options.workers,
        pooling = options.pool.pooling.word(),
        servers_max = options.pool.servers_max,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estate_names_the_server_the_user_and_the_pool() {
        let options = Options { pool: Pool::TRANSACTION, workers: 2, tls: None };
        let login = Login { lab_port: 5432, user: "postgres", verifier: "SCRAM-SHA-256$4096:a$b:c" };
        assert_eq!(
            estate(&options, Path::new("/x"), 6432, &login),
            r#"estate: bench
databases:
  shop: { engine: postgres, url: "postgres://postgres@127.0.0.1:5432/bench" }
gateway:
  listen: 127.0.0.1:6432
  workers: 2
  users:
    postgres:
      verifier: "SCRAM-SHA-256$4096:a$b:c"
      secrets: { bench: env:BENCH_PASSWORD }
  databases:
    bench: { to: shop, pooling: transaction, servers_max: 20 }
"#
        );
    }

    #[test]
    fn a_certificate_is_named_by_its_files() {
        let certificate = Certificate::make().unwrap();
        let options = Options { pool: Pool::TRANSACTION, workers: 1, tls: Some(&certificate) };
        let login = Login { lab_port: 5432, user: "postgres", verifier: "v" };
        let text = estate(&options, Path::new("/x"), 6432, &login);
        assert!(text.contains("\n  tls: { certificate: \"/x/gateway.crt\", key: \"/x/gateway.key\" }\n"), "{text}");
    }
}
