//! A process that is killed while it erases somebody.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use atalaya_eventstore::erase::{KeyStore, Vault};
use atalaya_eventstore::verify::{Verdict, verify};
use atalaya_eventstore::{Append, Expected, Options, Store};

use super::Outside;
use super::erasing::{emails, registered, tombstones};
use crate::ground::Ground;
use crate::making::stream;

const PEOPLE: usize = 12;
/// Set for the process that erases: the journal's file, the folder of the keys and whom.
const ORDER: [&str; 3] = ["ERASING_JOURNAL", "ERASING_OUTSIDE", "ERASING_PERSON"];

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Once the next master key lies beside the old one.
    NextKeyIsThere,
    /// Once it has taken its place.
    NextKeyIsGone,
    /// Once the old pages of the key store are being removed.
    LogIsEmpty,
}

fn person(number: usize) -> String {
    format!("person-{number}")
}

/// What the other process does; nothing when it is run as a test among others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_erases() {
    let order = ORDER.map(std::env::var);
    let [Ok(journal), Ok(outside), Ok(person)] = order else { return };
    let store = Store::open_sqlite(Path::new(&journal), Options::default()).await.unwrap();
    let keys = KeyStore::open(&Outside::files_in(Path::new(&outside))).unwrap();
    Vault::open(store, keys, &[]).await.unwrap().erase(&person).await.unwrap();
}

fn start(journal: &Path, outside: &Path, person: &str) -> Child {
    let [of_journal, of_outside, of_person] = ORDER;
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "proofs::killed::the_process_that_erases"])
        .env(of_journal, journal)
        .env(of_outside, outside)
        .env(of_person, person)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a process at a moment that its files show, or finds that it was quicker.
fn kill(mut process: Child, outside: &Path, when: When) {
    let next = outside.join("master/master.key.next");
    let log = outside.join("keys/keys.db-wal");
    let log_bytes = || std::fs::metadata(&log).map_or(0, |log| log.len());
    let mut until = |reached: &dyn Fn() -> bool| {
        while !reached() && process.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
    };
    until(&|| next.exists());
    match when {
        When::NextKeyIsThere => {}
        When::NextKeyIsGone => until(&|| !next.exists()),
        When::LogIsEmpty => {
            until(&|| !next.exists());
            until(&|| log_bytes() == 0);
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_people_are_erased_lose_nobody_elses_key_and_keep_nobody() {
    let (ground, outside) = (Ground::sqlite(), Outside::new());
    let vault = Vault::open(ground.open().await, outside.keys(), &[]).await.unwrap();
    for number in 0..PEOPLE {
        let sealed = vault.sealer().seal(registered(&person(number), &person(number))).unwrap();
        let append = Append::to_stream(stream("people-1"), Expected::Any, vec![sealed]);
        vault.store().append(append).await.unwrap();
    }
    vault.store().clone().close().await;
    drop(vault);

    let (journal, folder): (PathBuf, PathBuf) = (ground.file(), outside.path(""));
    for number in 0..PEOPLE - 1 {
        let when = [When::NextKeyIsThere, When::NextKeyIsGone, When::LogIsEmpty][number % 3];
        kill(start(&journal, &folder, &person(number)), &folder, when);

        let vault = Vault::open(ground.open().await, outside.keys(), &[]).await.unwrap();
        vault.erase(&person(number)).await.unwrap();
        let expected: Vec<_> = (0..PEOPLE).map(|other| (other > number).then(|| person(other))).collect();
        assert_eq!(emails(&vault).await, expected, "killed {when:?}");
        assert_eq!(vault.dropped().await.unwrap().len(), number + 1, "killed {when:?}");
        assert_eq!(tombstones(vault.store()).await, number + 1, "killed {when:?}");
        assert_eq!(verify(vault.store(), None).await.unwrap().verdict, Verdict::Intact);
        vault.store().clone().close().await;
    }
}
