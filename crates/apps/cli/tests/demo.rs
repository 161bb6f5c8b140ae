//! The demo, whole and small: what `make demo` shows must be true at every commit.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{eventually, ran};

#[test]
fn the_demo_moves_a_shop_that_is_written_to_leads_its_clients_and_finds_exactly_the_corrupted_cell() {
    let folder = tempfile::tempdir().unwrap();
    let atalaya = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atalaya"));
        command.args(arguments).args(["--output", "json"]).current_dir(folder.path());
        ran(command.env_remove("ATALAYA_CLIENT_TOOLS").stdin(Stdio::null()))
    };
    // A rate and a pause that every machine keeps; `make demo` asks for more.
    let demo = atalaya(&["demo", "--size", "200MB", "--rate", "100", "--max-pause", "20s", "--keep"]);
    let promised = 0.9 * 100.0;
    let (kept, down) = (atalaya(&["sandbox", "status"]), atalaya(&["sandbox", "down"]));
    assert_eq!(demo.code, Some(0), "{}\n{}", demo.stdout, demo.stderr);
    let report: serde_json::Value = serde_json::from_str(&demo.stdout).unwrap();
    let number = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or(-1.0);

    // Both servers were kept, and went away when told to.
    let kept: serde_json::Value = serde_json::from_str(&kept.stdout).unwrap();
    for server in kept["servers"].as_array().unwrap() {
        assert_eq!([&server["state"], &server["database"]], ["running", "shop"], "{kept}");
    }
    assert!(down.stdout.contains("\"removed\":2"), "{}", down.stdout);

    assert_eq!(report["version"], 2);
    assert!(report["from"].as_str().unwrap().starts_with("13."), "{report}");
    assert!(report["to"].as_str().unwrap().starts_with("18."), "{report}");
    assert_eq!(report["durable"], true);
    assert_eq!(report["complaints"], serde_json::json!([]));

    // The shop is as large as asked for, and all of it was copied.
    assert!(number("/shop/tables") >= 12.0 && number("/shop/bytes") >= 160e6, "{report}");
    assert!(number("/copied/rows") >= number("/shop/rows"), "{report}");
    assert!(number("/copied/mb_per_second") > 0.0 && number("/lag/samples") > 0.0, "{report}");

    // Writes went on the whole time, at the rate that is promised.
    assert!(number("/writes/per_second_mean") >= promised, "{}", report["writes"]);
    assert!(number("/writes/seconds") >= number("/copied/seconds"), "{report}");
    assert_eq!([&report["writes"]["unknown"], &report["reconciliation"]["unknown"]], [0, 0]);

    assert_no_transaction_failed_while_clients_were_led(&report);

    // Five proofs; the second finds the one cell, and nothing else is ever found.
    let proofs = report["proofs"].as_array().unwrap();
    let differences: Vec<_> = proofs.iter().map(|proof| proof["differences"].as_u64().unwrap()).collect();
    assert_eq!(differences, [0, 1, 0, 0, 0]);
    let corruption = &report["corruption"];
    assert_eq!(
        proofs[1]["found"],
        serde_json::json!([{ "kind": "different", "table": corruption["table"], "key": corruption["key"],
                             "columns": [corruption["column"]] }])
    );
    assert_eq!(corruption["rows_repaired"], 1);
    assert_eq!([&corruption["found"], &corruption["restored"]], [true, true]);
    // All were made at a fence, while the ledger grew.
    let rows: Vec<_> = proofs.iter().map(|proof| proof["rows"].as_u64().unwrap()).collect();
    assert!(proofs.iter().all(|proof| !proof["fences"].as_array().unwrap().is_empty()), "{report}");
    assert!(rows.windows(2).all(|pair| pair[0] <= pair[1]) && rows[0] < rows[3] && rows[3] < rows[4], "{rows:?}");

    // What clients were told is what both servers hold: the new one, and the one that the way back leads to.
    for books in [&report["reconciliation"], &report["reconciliation_old"]] {
        for kind in ["missing", "duplicate", "ghosts", "transfers_unbalanced", "entries_orphaned", "accounts_wrong"] {
            assert_eq!(books[kind], 0, "{kind}: {books}");
        }
        assert_eq!(books["balance_sum_ok"], true);
        assert_eq!(books["committed"], report["writes"]["committed"]);
    }
    assert!(number("/reconciliation/committed") >= promised * number("/writes/seconds") * 0.99, "{report}");
    assert_eq!(report["certificate"]["equal"], true);
    assert_eq!(report["finish"]["leftovers"], 0);
    // And the application goes on there.
    let afterwards = &report["afterwards"];
    assert_eq!(afterwards["errors"], serde_json::json!({}));
    assert!(afterwards["committed"].as_u64().unwrap() >= 1_000 && afterwards["reconciled"] == true, "{afterwards}");

    // No password in what was told, and the command lines are there.
    for typed in [
        "gateway run",
        "migrate start shop",
        "migrate cutover shop --rehearse",
        "migrate cutover shop --max-pause 20000ms",
        "migrate rollback shop",
        "migrate finish shop",
    ] {
        assert!(demo.stderr.contains(&format!("atalaya {typed}")), "{}", demo.stderr);
    }
    assert!(!demo.stderr.contains("postgres://") && !demo.stdout.contains("postgres://"), "{}", demo.stderr);
}

/// Rehearsed, led there, back and there again; each with its length, and with what clients committed around it.
fn assert_no_transaction_failed_while_clients_were_led(report: &serde_json::Value) {
    let writes = &report["writes"];
    assert_eq!([&writes["failed"], &writes["unknown"]], [0, 0], "{writes}");
    assert_eq!(writes["errors"], serde_json::json!({}));
    // What was broken off since there was no time left, and tried again, held clients, too.
    let pauses: Vec<_> = report["pauses"].as_array().unwrap().iter().collect();
    let done: Vec<_> = pauses.iter().filter(|pause| pause["outcome"] != "closed").collect();
    let came_to: Vec<_> = done.iter().map(|pause| [&pause["what"], &pause["outcome"]]).collect();
    assert_eq!(
        came_to,
        [["rehearsal", "rehearsed"], ["cutover", "flipped"], ["rollback", "flipped"], ["cutover", "flipped"]]
    );
    let count = |value: &serde_json::Value| value.as_u64().unwrap();
    let sum = |series: &serde_json::Value| series["committed"].as_array().unwrap().iter().map(count).sum::<u64>();
    // Every commit of the whole time has its place, in tenths of a second.
    let series = &report["series"];
    assert_eq!(sum(series), count(&writes["committed"]));
    assert_eq!([&series["from_ms"], &series["bucket_ms"]], [0, 100]);
    let buckets = series["committed"].as_array().unwrap().len() as u64;
    for pause in &done {
        let (at_ms, pause_us) = (count(&pause["at_ms"]), count(&pause["pause_us"]));
        assert!(pause_us > 0 && pause_us <= 20_000_000 && at_ms / 100 < buckets, "{pause}");
        assert!(pause["stages"].as_array().unwrap().iter().any(|stage| stage["stage"] == "fence"), "{pause}");
        assert!(count(&pause["longest_wait_us"]) > 0, "{pause}");
        let around = &pause["around"];
        assert_eq!(around["bucket_ms"], 10);
        assert!(count(&around["from_ms"]) <= at_ms && sum(around) > 0, "{pause}");
    }
    assert!(done.windows(2).all(|pair| count(&pair[0]["at_ms"]) < count(&pair[1]["at_ms"])), "{report}");
}

#[test]
fn a_demo_that_the_disk_has_no_room_for_is_refused_before_it_begins() {
    let demo = ran(Command::new(env!("CARGO_BIN_EXE_atalaya")).args(["demo", "--size", "900TB"]).stdin(Stdio::null()));
    assert_eq!(demo.code, Some(4), "{}", demo.stderr);
    assert!(demo.stderr.contains("free, and the demo needs"), "{}", demo.stderr);
    assert!(!demo.stderr.contains("start PostgreSQL"), "{}", demo.stderr);
    let older = ran(Command::new(env!("CARGO_BIN_EXE_atalaya"))
        .args(["demo", "--size", "20MB", "--from", "18", "--to", "13"])
        .stdin(Stdio::null()));
    assert_eq!(older.code, Some(4), "{}", older.stderr);
}

#[test]
fn an_interrupted_demo_ends_every_process_of_its_own_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    // The servers' account must be able to enter it when the caller is root.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_atalaya"))
        .args(["demo", "--size", "20MB", "--output", "json", "--data"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(demo.stderr.take().unwrap()).lines().map(Result::unwrap);
    // In the middle of it: both servers, the clients, `migrate start` and a `validate` are at work.
    assert!(said.any(|line| line.contains("\"command\"") && line.contains("atalaya validate")));
    // Two servers and their workers, the run that follows, the validation.
    eventually("all at work", || working_below(folder.path()) >= 10);
    kill(Pid::from_raw(demo.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let rest: Vec<String> = said.collect();
    assert_eq!(demo.wait().unwrap().code(), Some(1), "{rest:?}");
    assert!(rest.last().unwrap().contains("interrupted"), "{rest:?}");
    eventually("every process ended", || working_below(folder.path()) == 0);
    eventually("every file removed", || std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

/// Processes whose working folder is below `folder`: servers in their data, the program in its state.
fn working_below(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok())
        .filter(|place| place.starts_with(&folder))
        .count()
}
