//! One journal in a Postgres, for several machines.

use atalaya_sandbox::{Server, ServerOptions};

use super::shop;
use crate::support::{Move, Ran, ran};

/// Runs the program as on a machine of its own: with its own folder for local state.
fn on(machine: &std::path::Path, shop: &Move, server: &Server, words: &[&str]) -> Ran {
    let mut command = shop.command(words);
    command.arg("--journal").arg("env:JOURNAL_URL").env("JOURNAL_URL", server.url("journal"));
    let local = machine.to_str().unwrap();
    let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let mut own = std::process::Command::new(command.get_program());
    own.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The state folder that the helper names is replaced by this machine's.
    let state = shop.state().as_os_str();
    own.args(words.iter().map(|word| if word == state { std::ffi::OsStr::new(local) } else { word }));
    ran(&mut own)
}

#[test]
fn a_second_machine_sees_and_ends_what_the_first_began() {
    let shop = shop();
    let server = Server::start(ServerOptions::new(18)).unwrap();
    server.create_database("journal").unwrap();
    let machines = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, other] = machines.each_ref().map(|folder| folder.path());
    let start = on(one, &shop, &server, &Move::migrate("start", &["--stop-when", "caught-up"]));
    assert_eq!(start.code, Some(0), "{}", start.stderr);
    assert!(!one.join("journal.db").exists(), "the journal is on the server alone");
    let status = on(other, &shop, &server, &Move::migrate("status", &["--output", "json"]));
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["journal"]["last_run"]["outcome"], "caught up", "{status}");
    let finish = on(other, &shop, &server, &Move::migrate("finish", &[]));
    assert_eq!(finish.code, Some(0), "{}", finish.stderr);
    let sagas = on(one, &shop, &server, &["journal", "sagas", "--all"]);
    assert!(sagas.stdout.contains("completed"), "{} {}", sagas.stdout, sagas.stderr);
    let verified = on(one, &shop, &server, &["journal", "verify"]);
    assert!(verified.stdout.starts_with("intact: "), "{} {}", verified.stdout, verified.stderr);
    shop.assert_equal();
}

#[test]
fn a_journal_in_a_database_that_is_moved_is_refused() {
    let shop = shop();
    for (side, url) in [("source", &shop.source_url), ("target", &shop.target_url)] {
        let mut command = shop.command(&Move::migrate("start", &["--stop-when", "caught-up"]));
        command.arg("--journal").arg("env:JOURNAL_URL").env("JOURNAL_URL", url);
        let ran = ran(&mut command);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("--journal names the database of the {side}")), "{}", ran.stderr);
    }
    // Looking makes none.
    let mut looking = shop.command(&["journal", "tail"]);
    looking.arg("--journal").arg("env:JOURNAL_URL").env("JOURNAL_URL", &shop.target_url);
    assert!(ran(&mut looking).stderr.contains("there is no journal in"));
    let made = "SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya_journal'";
    assert_eq!(shop.target.run_sql("shop", made).unwrap(), "0");
}

#[test]
fn a_server_that_is_away_is_told_with_what_to_look_at() {
    let shop = shop();
    let mut command = shop.command(&Move::migrate("start", &[]));
    command.arg("--journal").arg("env:JOURNAL_URL").env("JOURNAL_URL", "postgres://nobody@127.0.0.1:1/journal");
    let ran = ran(&mut command);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("error: the journal cannot be reached: ") && ran.stderr.contains("hint: "),
        "{}",
        ran.stderr
    );
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap(), "0");
}
