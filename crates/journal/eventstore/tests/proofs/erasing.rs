//! People erased from a journal: the proofs hold, and no older copy brings anybody back.

use atalaya_eventstore::erase::{Erased, ErasureError, KeyFiles, KeyStore, Personal, TOMBSTONE, Vault};
use atalaya_eventstore::verify::{Verdict, verify};
use atalaya_eventstore::{Append, EventType, Expected, NewEvent, Position, Read, Selection, Snapshot, Store};
use serde::{Deserialize, Serialize};

use super::Outside;
use super::forging::events;
use crate::ground::Ground;
use crate::making::stream;

#[tokio::test]
async fn keys_in_the_folder_of_the_journals_file_are_refused() {
    let (ground, outside) = (Ground::sqlite(), Outside::new());
    let store = ground.open().await;
    let beside = ground.file().with_file_name("keys.db");
    for files in [
        KeyFiles { store: beside.clone(), ..outside.key_files() },
        KeyFiles { store: outside.path("keys/other.db"), master: beside.clone(), ..outside.key_files() },
    ] {
        drop(std::fs::remove_file(&files.master));
        KeyStore::create(&files).unwrap();
        let refused = Vault::open(store.clone(), KeyStore::open(&files).unwrap(), &[]).await;
        assert!(matches!(refused, Err(ErasureError::Place(_))));
        std::fs::remove_file(&files.store).unwrap();
    }
}

on_every_backend! {
    an_erased_person_is_gone_and_every_proof_holds
    an_erasure_that_the_journal_did_not_hear_of_is_announced_later
    a_restored_key_store_or_journal_is_refused_until_the_list_is_applied
    data_that_was_erased_whole_leaves_the_proofs_as_they_were
    personal_data_that_was_not_sealed_is_not_appended
}

#[derive(Serialize, Deserialize)]
struct Registered {
    email: Personal<String>,
}

impl Outside {
    fn key_files(&self) -> KeyFiles {
        Self::files_in(&self.path(""))
    }

    /// The key files in such a folder.
    pub(super) fn files_in(folder: &std::path::Path) -> KeyFiles {
        KeyFiles {
            store: folder.join("keys/keys.db"),
            master: folder.join("master/master.key"),
            apart_from: Vec::new(),
        }
    }

    pub(super) fn keys(&self) -> KeyStore {
        let files = self.key_files();
        if !files.store.exists() {
            KeyStore::create(&files).unwrap();
        }
        KeyStore::open(&files).unwrap()
    }
}

pub(super) fn registered(subject: &str, email: &str) -> NewEvent {
    let fact = Registered { email: Personal::new(subject, email.into()) };
    NewEvent::new(EventType::new("Registered").unwrap(), serde_json::to_vec(&fact).unwrap())
}

/// Appends what two people registered with.
async fn register(vault: &Vault) {
    for (subject, email) in [("person-eve", "eve@example.com"), ("person-adam", "adam@example.com")] {
        let sealed = vault.sealer().seal(registered(subject, email)).unwrap();
        vault.store().append(Append::to_stream(stream("people-1"), Expected::Any, vec![sealed])).await.unwrap();
    }
}

/// What is known of both.
pub(super) async fn emails(vault: &Vault) -> Vec<Option<String>> {
    let (sealer, mut emails) = (vault.sealer(), Vec::new());
    for event in events(vault.store()).await.iter().filter(|event| event.event_type.as_str() == "Registered") {
        let fact: Registered = serde_json::from_slice(&sealer.open(event).unwrap().unwrap()).unwrap();
        assert_eq!(fact.email.is_erased(), fact.email.value().is_none());
        emails.push(fact.email.value().cloned());
    }
    emails
}

pub(super) async fn tombstones(store: &Store) -> usize {
    let selection = Selection::Types(vec![EventType::new(TOMBSTONE).unwrap()]);
    store.read(Read { selection, ..Read::all_after(Position::START, 100) }).await.unwrap().events.len()
}

async fn an_erased_person_is_gone_and_every_proof_holds(ground: &Ground) {
    let outside = Outside::new();
    let vault = Vault::open(ground.open().await, outside.keys(), &[]).await.unwrap();
    let store = vault.store().clone();
    let folder = outside.exported(&store).await;
    register(&vault).await;
    store.export(&folder, &outside.key(), &vault.dropped().await.unwrap()).await.unwrap();
    let snapshot = Snapshot { stream: stream("people-1"), version: 2, mark: "1".into(), data: "{}".into() };
    assert!(store.save_snapshot(snapshot).await.unwrap());
    assert_eq!(emails(&vault).await, [Some("eve@example.com".into()), Some("adam@example.com".into())]);

    assert_eq!(vault.erase("person-eve").await.unwrap(), Erased::Now);
    assert_eq!(vault.erase("person-eve").await.unwrap(), Erased::Nothing);
    assert_eq!(emails(&vault).await, [None, Some("adam@example.com".into())]);
    assert_eq!(store.snapshot(&stream("people-1"), "1").await.unwrap(), None);
    assert_eq!(tombstones(&store).await, 1);
    let all = events(&store).await;
    let tombstone = String::from_utf8(all[2].data.clone().unwrap().to_vec()).unwrap();
    assert!(!tombstone.contains("eve") && !all[2].stream.as_str().contains("eve"));

    let dropped = vault.dropped().await.unwrap();
    store.export(&folder, &outside.key(), &dropped).await.unwrap();
    assert_eq!(folder.dropped().unwrap(), dropped);
    let report = verify(&store, Some(&folder)).await.unwrap();
    assert_eq!((report.verdict, report.keys_dropped, report.data_erased), (Verdict::Intact, 1, 0));
    assert_eq!(report.unseen(), None);
}

async fn an_erasure_that_the_journal_did_not_hear_of_is_announced_later(ground: &Ground) {
    let outside = Outside::new();
    let vault = Vault::open(ground.open().await, outside.keys(), &[]).await.unwrap();
    register(&vault).await;
    vault.store().clone().close().await;
    assert!(matches!(vault.erase("person-eve").await, Err(ErasureError::Journal(_))));
    drop(vault);
    let vault = Vault::open(ground.open().await, outside.keys(), &[]).await.unwrap();
    assert_eq!(tombstones(vault.store()).await, 1);
    assert_eq!(emails(&vault).await, [None, Some("adam@example.com".into())]);
    drop(vault);
    let vault = Vault::open(ground.open().await, outside.keys(), &[]).await.unwrap();
    assert_eq!(tombstones(vault.store()).await, 1);
}

async fn a_restored_key_store_or_journal_is_refused_until_the_list_is_applied(ground: &Ground) {
    let outside = Outside::new();
    let files = outside.key_files();
    let vault = Vault::open(ground.open().await, outside.keys(), &[]).await.unwrap();
    let store = vault.store().clone();
    let folder = outside.exported(&store).await;
    register(&vault).await;
    let before = events(&store).await;
    drop(vault);
    let backup = [(&files.store, outside.path("backup/keys.db")), (&files.master, outside.path("backup/master.key"))];
    for (file, copy) in &backup {
        std::fs::copy(file, copy).unwrap();
    }
    let vault = Vault::open(store.clone(), outside.keys(), &[]).await.unwrap();
    vault.erase("person-eve").await.unwrap();
    store.export(&folder, &outside.key(), &vault.dropped().await.unwrap()).await.unwrap();
    drop(vault);

    // The keys come back with their master key: the journal's tombstone alone tells.
    for (file, copy) in &backup {
        std::fs::copy(copy, file).unwrap();
    }
    let refused = Vault::open(store.clone(), outside.keys(), &[]).await;
    assert!(matches!(refused, Err(ErasureError::DroppedKeysAlive { count: 1 })));

    // Both come back: only the exported list tells.
    store.close().await;
    super::forging::rewrite(ground, &before);
    let store = ground.open().await;
    store.check_against(&folder).await.unwrap_err();
    let exported = folder.dropped().unwrap();
    let refused = Vault::open(store.clone(), outside.keys(), &exported).await;
    assert!(matches!(refused, Err(ErasureError::DroppedKeysAlive { count: 1 })));
    let vault = Vault::apply(store.clone(), outside.keys(), &exported).await.unwrap();
    assert_eq!(emails(&vault).await, [None, Some("adam@example.com".into())]);
    assert_eq!(tombstones(&store).await, 1);
    assert_eq!(vault.dropped().await.unwrap(), exported);
    drop(vault);

    // The journal alone comes back.
    store.close().await;
    super::forging::rewrite(ground, &before);
    let store = ground.open().await;
    let refused = Vault::open(store.clone(), outside.keys(), &exported).await;
    assert!(matches!(refused, Err(ErasureError::TombstonesMissing { count: 1 })));
    let vault = Vault::apply(store.clone(), outside.keys(), &exported).await.unwrap();
    assert_eq!(tombstones(&store).await, 1);
    drop(vault);
    Vault::open(store, outside.keys(), &exported).await.unwrap();
}

async fn data_that_was_erased_whole_leaves_the_proofs_as_they_were(ground: &Ground) {
    let (store, outside) = (ground.open().await, Outside::new());
    let folder = outside.exported(&store).await;
    let secret = NewEvent::new(EventType::new("Noted").unwrap(), "\"written in the open by mistake\"");
    let other = NewEvent::new(EventType::new("Noted").unwrap(), "2");
    let append = Append::to_stream(stream("note-1"), Expected::None, vec![secret, other]);
    store.append(append.clone()).await.unwrap();
    store.export(&folder, &outside.key(), &[]).await.unwrap();
    assert_eq!(store.erase_data(Position::new(1)).await.unwrap(), Erased::Now);
    assert_eq!(store.erase_data(Position::new(9)).await.unwrap(), Erased::Nothing);
    let all = events(&store).await;
    assert_eq!((all[0].data.is_none(), all[1].data.as_deref()), (true, Some(&b"2"[..])));
    let report = verify(&store, Some(&folder)).await.unwrap();
    assert_eq!((report.verdict, report.data_erased), (Verdict::Intact, 1));
    assert!(store.append(append).await.unwrap().repeated);
    if let Ground::Sqlite(folder) = ground {
        for entry in std::fs::read_dir(folder.path().join("state")).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(19).any(|window| window == b"in the open by mist"));
        }
    }
}

async fn personal_data_that_was_not_sealed_is_not_appended(ground: &Ground) {
    let store = ground.open().await;
    let open = registered("person-eve", "eve@example.com");
    let refused = store.append(Append::to_stream(stream("people-1"), Expected::Any, vec![open])).await;
    assert!(matches!(refused, Err(atalaya_eventstore::Error::Unappendable { .. })));
}
