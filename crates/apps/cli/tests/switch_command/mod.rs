//! Clients without a gateway, who find their server in a service file that a command rewrites: led from 13 to 18 and back.

mod pgbouncer;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use atalaya_sandbox::{Server, client_tools};
use serde_json::Value;

use crate::support::{Move, Ran, Running, eventually, ran};

const PASSWORD: &str = "clerks-password";
/// Long enough for servers that share a machine with other tests.
const MAX_PAUSE: &str = "20s";

/// A move that follows, and the file by which clients find their server.
struct Field {
    shop: Move,
    service: PathBuf,
    _running: Running,
}

impl Field {
    fn between(from: u16, to: u16) -> Self {
        let shop = Move::between(from, to);
        for server in [&shop.source, &shop.target] {
            server.run_sql("shop", &format!("CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")).unwrap();
        }
        let tables = "CREATE TABLE notes (id bigint PRIMARY KEY, said text); GRANT ALL ON notes TO clerk";
        shop.source.run_sql("shop", tables).unwrap();
        std::fs::create_dir_all(shop.state()).unwrap();
        let estate = "estate: shop
databases:
  shop: { engine: postgres, url: \"${SOURCE_URL}\" }
  shop-green: { engine: postgres, url: \"${TARGET_URL}\" }
migrations:
  shop-to-18: { source: shop, target: shop-green }
";
        std::fs::write(shop.state().join("atalaya.yaml"), estate).unwrap();
        let service = shop.state().join("services");
        write_switch(&shop, &service);
        let estate = shop.state().join("atalaya.yaml");
        let mut running =
            shop.spawn_words(&["--estate", estate.to_str().unwrap(), "migrate", "start", "shop-to-18"], &[]);
        let words = ["--estate", estate.to_str().unwrap(), "migrate", "status", "shop-to-18", "--output", "json"];
        eventually("following", || {
            running.assert_alive();
            let status: Value = serde_json::from_str(&ran(&mut shop.command(&words)).stdout).unwrap_or_default();
            status["running"] == true && status["activity"]["caught_up"] == true
        });
        let field = Self { shop, service, _running: running };
        let proven = field.ask(&["validate", "shop-to-18"]);
        assert_eq!(proven.code, Some(0), "{}\n{}", proven.stdout, proven.stderr);
        let pointed = Command::new(field.switch()).env("ATALAYA_TO", "shop").status().unwrap();
        assert!(pointed.success());
        field
    }

    fn switch(&self) -> PathBuf {
        self.shop.state().join("switch.sh")
    }

    fn words<'a>(&self, words: &[&'a str], estate: &'a str) -> Vec<&'a str> {
        [&["--estate", estate], words].concat()
    }

    fn ask(&self, words: &[&str]) -> Ran {
        let estate = self.shop.state().join("atalaya.yaml");
        ran(&mut self.shop.command(&self.words(words, estate.to_str().unwrap())))
    }

    /// A verb by a command of the test's.
    fn led_by(&self, verb: &str, command: &str, more: &[&str]) -> Ran {
        let words =
            ["migrate", verb, "shop-to-18", "--max-pause", MAX_PAUSE, "--output", "json", "--switch-command", command];
        self.ask(&[&words, more].concat())
    }

    /// The same by the command that does what it has to.
    fn led(&self, verb: &str, more: &[&str]) -> Value {
        let done = self.led_by(verb, self.switch().to_str().unwrap(), more);
        assert_eq!(done.code, Some(0), "{verb}: {}\n{}", done.stdout, done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }

    fn serving(&self) -> Value {
        let asked = self.ask(&["migrate", "way-back", "status", "shop-to-18", "--output", "json"]);
        let status: Value = serde_json::from_str(&asked.stdout).unwrap();
        status["serving"].clone()
    }
}

/// What an operator would have: it points clients to where it is told, and does no harm when it is run again.
fn write_switch(shop: &Move, service: &Path) {
    let script = format!(
        "#!/bin/sh
set -e
case \"$ATALAYA_TO\" in shop) port={} ;; shop-green) port={} ;; *) exit 64 ;; esac
printf '[shop]\\nhost=127.0.0.1\\nport=%s\\ndbname=shop\\nuser=clerk\\npassword={PASSWORD}\\n' $port > '{file}.new'
mv '{file}.new' '{file}'
echo \"pointed to $ATALAYA_TO\"
",
        shop.source.port(),
        shop.target.port(),
        file = service.display(),
    );
    let path = shop.state().join("switch.sh");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// psql, again and again: who is ended or refused looks the service up anew and tries the same once more.
struct Clients {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<i64>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn of(field: &Field) -> Self {
        let mut clients = Self { stop: Arc::default(), acknowledged: Arc::default(), threads: Vec::new() };
        let psql = client_tools(18).unwrap().join("psql");
        for client in 1..=3 {
            let (stop, acknowledged) = (Arc::clone(&clients.stop), Arc::clone(&clients.acknowledged));
            let (psql, service) = (psql.clone(), field.service.clone());
            clients.threads.push(std::thread::spawn(move || {
                let mut id = client * 1_000_000;
                while !stop.load(Ordering::SeqCst) {
                    let sql = format!("INSERT INTO notes VALUES ({id}, 'said') ON CONFLICT DO NOTHING");
                    if written(&psql, &service, &sql) {
                        acknowledged.lock().unwrap().push(id);
                        id += 1;
                    }
                }
            }));
        }
        clients
    }

    fn until_written(&self, more: usize) {
        let before = self.acknowledged.lock().unwrap().len();
        eventually("clients at work", || self.acknowledged.lock().unwrap().len() >= before + more);
    }

    /// Ends them; what was acknowledged.
    fn end(self) -> Vec<i64> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        Arc::into_inner(self.acknowledged).unwrap().into_inner().unwrap()
    }
}

fn written(psql: &Path, service: &Path, sql: &str) -> bool {
    let status = Command::new(psql)
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, "service=shop connect_timeout=10"])
        .env("PGSERVICEFILE", service)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}

/// Each of these is on the server.
fn assert_kept(server: &Server, ids: &[i64]) {
    let kept: std::collections::HashSet<i64> = server
        .run_sql("shop", "SELECT id FROM notes")
        .unwrap()
        .lines()
        .map(|line| line.trim().parse().unwrap())
        .collect();
    let lost: Vec<&i64> = ids.iter().filter(|id| !kept.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} were acknowledged and are not there");
}

#[test]
fn psql_clients_are_led_there_and_back_by_a_command_and_nothing_is_lost() {
    let field = Field::between(13, 18);
    let looked = field.led_by("cutover", "false", &["--dry-run"]);
    assert_eq!(looked.code, Some(0), "{}\n{}", looked.stdout, looked.stderr);
    assert!(looked.stdout.contains("what they run is rolled back"), "{}", looked.stdout);
    let clients = Clients::of(&field);
    clients.until_written(20);
    let report = field.led("cutover", &["--drain"]);
    assert_eq!(
        (&report["outcome"], &report["commands"][0]["output"]),
        (&"flipped".into(), &"pointed to shop-green\n".into())
    );
    clients.until_written(20);
    assert_eq!(field.serving(), "target");
    field.led("rollback", &[]);
    clients.until_written(20);
    let log = field.shop.state().join("steps");
    let hold = format!("echo $ATALAYA_STEP >> '{}'", log.display());
    field.led("cutover", &["--hold-command", &hold, "--release-command", &hold]);
    clients.until_written(20);
    let rehearsed = field.led("rollback", &["--rehearse", "--hold-command", &hold, "--release-command", &hold]);
    assert_eq!(rehearsed["outcome"], "rehearsed");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "hold\nhold\nrelease\n");
    clients.until_written(20);
    let written = clients.end();
    assert_kept(&field.shop.target, &written);
    eventually("both sides equal", || Move::digests(&field.shop.source) == Move::digests(&field.shop.target));
}

#[test]
fn a_command_that_fails_hangs_or_kills_is_run_again_by_the_same_command() {
    let field = Field::between(15, 17);
    let clients = Clients::of(&field);
    clients.until_written(10);
    let failed = field.led_by("cutover", "echo almost; echo why not >&2; exit 9", &[]);
    assert_eq!(failed.code, Some(1), "{}\n{}", failed.stdout, failed.stderr);
    let report: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!((&report["outcome"], &report["commands"][0]["exit_code"]), (&"flipped".into(), &9.into()));
    assert_eq!(report["commands"][0]["output"], "almost\n");
    for said in ["why not", "clients belong to `shop-green` now", "it ended with exit code 9", "run the same command"] {
        assert!(failed.stderr.contains(said), "{said}: {}", failed.stderr);
    }
    let journal = std::fs::read(field.shop.state().join("journal.db")).unwrap();
    assert!(!journal.windows(6).any(|window| window == b"almost"), "what a command says is in the journal");
    assert_eq!(field.serving(), "target");
    let hung = field.led_by("cutover", "sleep 1000", &["--switch-timeout", "500ms"]);
    assert_eq!(hung.code, Some(1), "{}\n{}", hung.stdout, hung.stderr);
    assert!(hung.stderr.contains("it was not done within 500 ms, and was ended"), "{}", hung.stderr);
    let again = field.led("cutover", &[]);
    assert_eq!((&again["resumed"], &again["epoch"]), (&true.into(), &1.into()));
    clients.until_written(10);

    // The command ends the program that runs it.
    let killed = field.led_by("rollback", "kill -9 $PPID", &[]);
    assert_eq!(killed.signal, Some(9), "{}\n{}", killed.stdout, killed.stderr);
    // A signal to end the program waits until clients can go on.
    let switch = field.switch();
    let asked_to_end = format!("kill -TERM $PPID; {}", switch.display());
    let again = field.led_by("rollback", &asked_to_end, &[]);
    assert_eq!(again.code, Some(0), "{}\n{}", again.stdout, again.stderr);
    clients.until_written(10);

    // What was found equal before counts for nothing, since the process that found it was killed.
    let proven = field.ask(&["validate", "shop-to-18"]);
    assert_eq!(proven.code, Some(0), "{}\n{}", proven.stdout, proven.stderr);
    let killed = field.led_by(
        "cutover",
        switch.to_str().unwrap(),
        &["--hold-command", "kill -9 $PPID", "--release-command", "true"],
    );
    assert_eq!(killed.signal, Some(9), "{}\n{}", killed.stdout, killed.stderr);
    // Without commands nobody would lead those clients: it says which are missing.
    let refused = field.ask(&["migrate", "cutover", "shop-to-18", "--max-pause", MAX_PAUSE]);
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    for said in [
        "--switch-command and --release-command are not given",
        "`atalaya migrate cutover shop-to-18 --switch-command ... --release-command ...`",
        "no lease ends it",
    ] {
        assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    assert!(!refused.stderr.contains("kill -9"), "a command's text is told: {}", refused.stderr);
    let again = field.led_by("cutover", switch.to_str().unwrap(), &[]);
    assert_eq!(again.code, Some(1), "{}\n{}", again.stdout, again.stderr);
    for said in [
        "it was interrupted",
        "clients were held by --hold-command",
        "`atalaya migrate cutover shop-to-18 --switch-command ...`",
    ] {
        assert!(again.stderr.contains(said), "{said}: {}", again.stderr);
    }
    clients.until_written(10);
    let asked_to_end = format!("kill -TERM $PPID; {}", switch.display());
    let led = field.led_by("cutover", &asked_to_end, &["--drain"]);
    assert_eq!(led.code, Some(0), "{}\n{}", led.stdout, led.stderr);
    clients.until_written(10);
    let written = clients.end();
    assert_kept(&field.shop.target, &written);
    eventually("both sides equal", || Move::digests(&field.shop.source) == Move::digests(&field.shop.target));
}
