//! Drills on schemas that others have made: what comes of them, that they can fail, and that the user's database is
//! only read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use atalaya_sandbox::{Server, ServerOptions, client_tools};
use serde_json::Value;

use crate::busy::{runtime, session};
use crate::support::{Ran, eventually, ran};

const NASTY: &str = include_str!("nasty.sql");
const CHINOOK: &str = include_str!("../../../../lab/load/data/chinook_postgres.sql");

/// The program, told of the user's database by the environment alone; its servers live below `folder`.
fn drill(url: &str, folder: &Path, arguments: &[&str]) -> Command {
    // The servers' account must be able to enter it when the caller is root.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_atalaya"));
    command.arg("drill").args(arguments).args(["--output", "json", "--data"]).arg(folder);
    command.env("USER_URL", url).env_remove("ATALAYA_CLIENT_TOOLS").current_dir(folder).stdin(Stdio::null());
    command
}

fn report(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn texts<'a>(report: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    report.pointer(list).unwrap().as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap()).collect()
}

/// Asserts that the faults came, with what shows it, and that all was equal in the end by every measure.
fn assert_went_through(report: &Value, faults: usize) {
    let came = report["faults"].as_array().unwrap();
    // One that was meant for an end that was quicker does not come.
    assert!(came.len() >= faults - 1 && came.len() <= faults, "{report}");
    for fault in came {
        assert!(
            !fault["evidence"].as_str().unwrap().is_empty() && !fault["phase"].as_str().unwrap().is_empty(),
            "{fault}"
        );
    }
    let times = |kind: &str| came.iter().filter(|fault| fault["kind"] == kind).count();
    for kill in ["kill -9 of the run", "kill -9 of the source", "kill -9 of the target"] {
        assert!(times(kill) >= 1, "{kill}: {report}");
    }
    // Where the copy was quicker than the fault, there is no holder left, and the run is killed instead.
    assert!(times("kill -9 of the snapshot's holder") + times("kill -9 of the run") >= 2, "{report}");
    let of_runs = came.iter().filter(|fault| fault["kind"] == "kill -9 of the run");
    for fault in of_runs {
        assert!(fault["evidence"].as_str().unwrap().ends_with("ended by signal 9"), "{fault}");
        assert!(fault["runs_again"].as_u64().unwrap() >= 1, "{fault}");
    }
    assert_eq!(report["complaints"], serde_json::json!([]));
    let proofs = report["proofs"].as_array().unwrap();
    assert!(proofs.len() >= 2 && proofs.iter().all(|proof| proof["differences"] == 0), "{report}");
    assert_eq!(report["comparison"]["different"], serde_json::json!([]));
    assert!(report["comparison"]["rows"].as_u64().unwrap() > 0, "{report}");
    for kind in ["missing", "duplicate", "ghosts"] {
        assert_eq!(report["ledger"][kind], 0, "{report}");
    }
    assert_eq!(report["leftovers"], 0);
    for rows in ["inserted", "updated", "deleted"] {
        assert!(report["writes"][rows].as_u64().unwrap() > 0, "{rows}: {report}");
    }
}

/// What a server knows of writes: the next transaction's number, and everything of the program's.
fn written(server: &Server) -> String {
    let sql = "SELECT txid_snapshot_xmax(txid_current_snapshot()), (SELECT count(*) FROM pg_replication_slots),
                      (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_class)";
    server.run_sql("shop", sql).unwrap()
}

/// Processes whose working folder is below `folder`: servers in their data, the program in its state.
fn working_below(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let places =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok());
    places.filter(|place| place.starts_with(&folder)).count()
}

fn assert_nothing_is_left(folder: &Path) {
    eventually("every process ended", || working_below(folder) == 0);
    eventually("every file removed", || std::fs::read_dir(folder).unwrap().next().is_none());
}

#[test]
fn a_nasty_schema_goes_through_eight_faults_and_its_database_is_only_read() {
    // Vacuum uses transaction numbers of its own.
    let user = Server::start(ServerOptions::new(16).setting("autovacuum", "off")).unwrap();
    user.create_database("shop").unwrap();
    user.run_sql("shop", NASTY).unwrap();
    let before = written(&user);
    let folder = tempfile::tempdir().unwrap();
    let refused = ran(&mut drill(&user.url("shop"), folder.path(), &["--schema-from", "env:USER_URL"]));
    // A table without a key is refused here as it would be in earnest, with what helps.
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(
        refused.stderr.contains("public.keyless") && refused.stderr.contains("--set-replica-identity"),
        "{}",
        refused.stderr
    );

    let arguments =
        ["--schema-from", "env:USER_URL", "--set-replica-identity", "--faults", "8", "--seed", "3", "--rows", "300"];
    let went = ran(&mut drill(&user.url("shop"), folder.path(), &arguments));
    let report = report(&went);
    assert_went_through(&report, 8);
    assert_eq!([&report["version"], &report["seed"], &report["from"], &report["to"]], [1, 3, 16, 18]);
    // Everything could be restored, and all but what nothing passes was filled.
    assert_eq!(report["schema"]["left_out"], serde_json::json!([]));
    assert_eq!(texts(&report, "/schema/empty", "table"), ["public.never", "public.below"]);
    assert_eq!(report["schema"]["roles"], 1);
    assert!(report["schema"]["rows"].as_u64().unwrap() > 2_500, "{report}");

    // The user's database was read, and no row of it left it; no password was told.
    assert_eq!(written(&user), before);
    for said in [&went.stdout, &went.stderr] {
        assert!(!said.contains("a secret of") && !said.contains(user.superuser().password()), "{said}");
    }
    assert_nothing_is_left(folder.path());
}

#[test]
fn a_script_is_drilled_without_what_cannot_be_restored_and_without_any_database() {
    let user = Server::start(ServerOptions::new(14)).unwrap();
    user.create_database("shop").unwrap();
    let runtime = runtime();
    runtime.block_on(async { atalaya_load::chinook::load(&session(&user.url("shop")).await, CHINOOK).await }).unwrap();
    let dump = Command::new(client_tools(14).unwrap().join("pg_dump"))
        .args(["--schema-only", "--dbname", &user.url("shop")])
        .output()
        .unwrap();
    assert!(dump.status.success());
    drop(user);
    let mut script = String::from_utf8(dump.stdout).unwrap();
    script.push_str(
        "--\n-- Name: of_others; Type: EXTENSION; Schema: -; Owner: -\n--\n\nCREATE EXTENSION of_others;\n\n\
         --\n-- Name: site; Type: TABLE; Schema: public; Owner: shop\n--\n\nCREATE TABLE public.site (id int PRIMARY KEY, at public.shape);\n\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &script).unwrap();
    let path = file.path().to_str().unwrap();
    let arguments = ["--schema-file", path, "--to", "17", "--faults", "5", "--seed", "5", "--rows", "200"];
    let report = report(&ran(&mut drill("", folder.path(), &arguments)));
    assert_went_through(&report, 5);
    assert_eq!([&report["from"], &report["to"]], [14, 17]);
    assert_eq!(texts(&report, "/schema/left_out", "name"), ["of_others", "public.site"]);
    assert_eq!(report["schema"]["empty"], serde_json::json!([]));
    assert_eq!(report["schema"]["tables"], 11);

    // The drill can fail: one row that somebody removes is a difference.
    let arguments = ["--schema-file", path, "--to", "15", "--faults", "0", "--seed", "5", "--rows", "50", "--tamper"];
    let failed = ran(&mut drill("", folder.path(), &arguments));
    assert_eq!(failed.code, Some(3), "{}\n{}", failed.stdout, failed.stderr);
    assert!(failed.stderr.contains("by `migrate finish`"), "{}", failed.stderr);
    assert!(failed.stderr.contains("1 different; missing public."), "{}", failed.stderr);
    // Rows are none of its business.
    std::fs::write(file.path(), format!("{script}\nCOPY public.artist (artist_id, name) FROM stdin;\n1\tx\n\\.\n"))
        .unwrap();
    let refused = ran(&mut drill("", folder.path(), &["--schema-file", path]));
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("holds rows"), "{}", refused.stderr);
    assert_nothing_is_left(folder.path());
}

#[test]
fn the_shops_schema_goes_from_13_to_18_under_six_faults() {
    let user = Server::start(ServerOptions::new(13)).unwrap();
    user.create_database("shop").unwrap();
    let runtime = runtime();
    let size = atalaya_load::shop::ShopSize::of_bytes(1_000_000);
    runtime.block_on(async { atalaya_load::shop::create(&session(&user.url("shop")).await, size).await }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["--schema-from", "env:USER_URL", "--faults", "6", "--seed", "1", "--rows", "200", "--tables", "shop.*"];
    let report = report(&ran(&mut drill(&user.url("shop"), folder.path(), &arguments)));
    assert_went_through(&report, 6);
    assert_eq!([&report["from"], &report["to"]], [13, 18]);
    assert_eq!(report["schema"]["empty"], serde_json::json!([]));
    assert_nothing_is_left(folder.path());
}

#[test]
fn an_interrupted_drill_ends_every_process_of_its_own_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "--\n-- Name: a; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE public.a (id int PRIMARY KEY, v text);\n").unwrap();
    let path = file.path().to_str().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut running =
        drill("", folder.path(), &["--schema-file", path, "--from", "15", "--faults", "500", "--rows", "10"])
            .stdout(Stdio::null())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
    let said = || std::fs::read_to_string(log.path()).unwrap();
    // Each with a limit of its own: a busy machine takes its time for all of them together.
    for stage in ["make up 10 rows", "assess the move", "move it while 8 clients write", "at work again"] {
        eventually(stage, || said().contains(stage));
    }
    crate::support::signal(i32::try_from(running.id()).unwrap(), nix::sys::signal::Signal::SIGINT);
    assert_eq!(running.wait().unwrap().code(), Some(1), "{}", said());
    assert!(said().contains("interrupted"), "{}", said());
    assert_nothing_is_left(folder.path());
}
