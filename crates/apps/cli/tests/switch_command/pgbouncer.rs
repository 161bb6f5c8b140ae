//! Clients of Debian's PgBouncer, which the script in `examples` holds and leads: none of their transactions fails.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use atalaya_postgres::Session;
use atalaya_sandbox::{cache_folder, client_tools, free_port, run_as_servers};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::{Field, MAX_PAUSE, PASSWORD, assert_kept};
use crate::busy::{runtime, session};
use crate::support::{Move, Ran, eventually, ran};

const LEAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../examples/pgbouncer/lead.sh");
const CLIENTS: i64 = 4;

/// A PgBouncer before the move's source; ended when dropped.
struct Bouncer {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
    /// libpq reads it where nobody else may; so it is not in the folder of the servers' account.
    passwords: tempfile::NamedTempFile,
}

impl Bouncer {
    fn before(field: &Field) -> Self {
        let program = cache_folder().unwrap().join("pgbouncer/usr/sbin/pgbouncer");
        assert!(program.exists(), "PgBouncer is not there: run `make setup`");
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let place = folder.path().display();
        for (name, server) in [("shop", &field.shop.source), ("shop-green", &field.shop.target)] {
            let line = format!("shop = host=127.0.0.1 port={} dbname=shop\n", server.port());
            std::fs::write(folder.path().join(format!("{name}.ini")), line).unwrap();
        }
        std::fs::copy(folder.path().join("shop.ini"), folder.path().join("current.ini")).unwrap();
        let users = format!("\"clerk\" \"{PASSWORD}\"\n\"admin\" \"{PASSWORD}\"\n");
        std::fs::write(folder.path().join("users.txt"), users).unwrap();
        let configuration = format!(
            "[databases]
%include {place}/current.ini
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {place}/users.txt
admin_users = admin
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = options,extra_float_digits,search_path
logfile = {place}/log
"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        run_as_servers(&mut command, folder.path()).unwrap();
        let process = command.spawn().unwrap();
        let passwords = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(passwords.path(), format!("*:*:*:admin:{PASSWORD}\n")).unwrap();
        let bouncer = Self { process, port, folder, passwords };
        eventually("PgBouncer takes connections", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        bouncer
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A verb with the script for each of its steps.
    fn led(&self, field: &Field, words: &[&str]) -> Ran {
        let estate = field.shop.state().join("atalaya.yaml");
        let commands =
            ["--hold-command", LEAD, "--release-command", LEAD, "--switch-command", LEAD, "--output", "json"];
        let words = [words, &commands].concat();
        let mut command = field.shop.command(&field.words(&words, estate.to_str().unwrap()));
        let port = self.port;
        command
            .env(
                "PGBOUNCER_CONSOLE",
                format!("host=127.0.0.1 port={port} user=admin dbname=pgbouncer connect_timeout=10"),
            )
            .env("PGPASSFILE", self.passwords.path())
            .env("PGBOUNCER_DATABASE", "shop")
            .env("PGBOUNCER_PLACES", self.folder.path())
            .env("PATH", with_psql());
        ran(&mut command)
    }

    fn done(&self, field: &Field, words: &[&str]) -> Value {
        let led =
            self.led(field, &[&["migrate", words[0], "shop-to-18", "--max-pause", MAX_PAUSE], &words[1..]].concat());
        assert_eq!(led.code, Some(0), "{words:?}: {}\n{}\n{}", led.stdout, led.stderr, self.log());
        serde_json::from_str(&led.stdout).unwrap()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn with_psql() -> std::ffi::OsString {
    let own: PathBuf = client_tools(18).unwrap();
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&others))).unwrap()
}

/// Clients that stay connected, and to whom nothing may fail.
struct Clients {
    runtime: Runtime,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicI64>,
    tasks: Vec<JoinHandle<Result<Vec<i64>, String>>>,
}

impl Clients {
    fn of(bouncer: &Bouncer) -> Self {
        let runtime = runtime();
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicI64>::default());
        let url = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop", bouncer.port);
        let tasks = (1..=CLIENTS)
            .map(|client| {
                let (url, stop, acknowledged) = (url.clone(), Arc::clone(&stop), Arc::clone(&acknowledged));
                runtime.spawn(async move {
                    let session: Session = session(&url).await;
                    let mut ids = Vec::new();
                    while !stop.load(Ordering::SeqCst) {
                        let id = client * 1_000_000 + i64::try_from(ids.len()).unwrap();
                        let sql = format!("BEGIN; INSERT INTO notes VALUES ({id}, 'said'); COMMIT");
                        session.batch(&sql).await.map_err(|error| atalaya_data::chain(&error))?;
                        ids.push(id);
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(ids)
                })
            })
            .collect();
        Self { runtime, stop, acknowledged, tasks }
    }

    fn until_written(&self, more: i64) {
        let before = self.acknowledged.load(Ordering::SeqCst);
        eventually("clients at work", || {
            let failed = self.tasks.iter().any(JoinHandle::is_finished);
            failed || self.acknowledged.load(Ordering::SeqCst) >= before + more
        });
    }

    /// Ends them; what was acknowledged. Nothing has failed.
    fn end(self) -> Vec<i64> {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.tasks.into_iter().map(|task| self.runtime.block_on(task).unwrap().unwrap());
        ended.flatten().collect()
    }
}

#[test]
fn clients_of_pgbouncer_are_led_there_and_back_and_no_transaction_fails() {
    let field = Field::between(13, 18);
    let bouncer = Bouncer::before(&field);
    let clients = Clients::of(&bouncer);
    clients.until_written(50);
    let rehearsed = bouncer.done(&field, &["cutover", "--rehearse"]);
    assert_eq!(steps(&rehearsed), ["hold", "release"]);
    clients.until_written(50);
    let there = bouncer.done(&field, &["cutover"]);
    assert_eq!((&there["outcome"], steps(&there)), (&"flipped".into(), vec!["hold", "switch"]));
    clients.until_written(50);
    assert_eq!(field.serving(), "target");
    let back = bouncer.done(&field, &["rollback"]);
    assert_eq!((&back["outcome"], steps(&back)), (&"flipped".into(), vec!["hold", "switch"]));
    clients.until_written(50);
    assert_eq!(field.serving(), "source");
    bouncer.done(&field, &["cutover"]);
    clients.until_written(50);
    let written = clients.end();
    assert_kept(&field.shop.target, &written);
    eventually("both sides equal", || Move::digests(&field.shop.source) == Move::digests(&field.shop.target));

    // A command of an epoch that is over leads nobody.
    let late = Command::new(LEAD)
        .envs([("ATALAYA_STEP", "switch"), ("ATALAYA_EPOCH", "1"), ("ATALAYA_TO", "shop")])
        .envs([("PGBOUNCER_CONSOLE", ""), ("PGBOUNCER_DATABASE", "shop")])
        .env("PGBOUNCER_PLACES", bouncer.folder.path())
        .output()
        .unwrap();
    assert_eq!(late.status.code(), Some(1));
    assert_eq!(current(&bouncer), std::fs::read_to_string(bouncer.folder.path().join("shop-green.ini")).unwrap());
}

#[test]
fn a_transaction_that_runs_on_keeps_pgbouncers_clients_where_they_are_and_is_not_cut() {
    let field = Field::between(15, 17);
    let bouncer = Bouncer::before(&field);
    let clients = Clients::of(&bouncer);
    clients.until_written(20);
    let runtime = runtime();
    let url = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop", bouncer.port);
    let open = runtime.block_on(async {
        let open = session(&url).await;
        open.batch("BEGIN; INSERT INTO notes VALUES (1, 'slowly')").await.unwrap();
        open
    });
    let led = bouncer.led(&field, &["migrate", "cutover", "shop-to-18", "--max-pause", "2s"]);
    assert_eq!(led.code, Some(1), "{}\n{}\n{}", led.stdout, led.stderr, bouncer.log());
    assert!(led.stderr.contains("hold"), "{}", led.stderr);
    runtime.block_on(open.batch("COMMIT")).unwrap();
    clients.until_written(20);
    assert_eq!(field.serving(), "source");
    let mut written = clients.end();
    written.push(1);
    assert_kept(&field.shop.source, &written);
    assert_eq!(current(&bouncer), std::fs::read_to_string(bouncer.folder.path().join("shop.ini")).unwrap());
}

fn current(bouncer: &Bouncer) -> String {
    let file: &Path = &bouncer.folder.path().join("current.ini");
    std::fs::read_to_string(file).unwrap()
}

/// Which commands were run, in their order.
fn steps(report: &Value) -> Vec<&str> {
    report["commands"].as_array().unwrap().iter().map(|ran| ran["command"].as_str().unwrap()).collect()
}
