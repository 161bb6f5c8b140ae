//! A key store that is left at every step of an erasure, copied, restored, and used by two at once.

use std::fs;

use tempfile::TempDir;

use super::drop::Doomed;
use super::*;
use crate::secret::SecretFileError;

/// A key store with the keys of three people.
pub(in crate::erase) struct Lab {
    pub(in crate::erase) folder: TempDir,
    pub(in crate::erase) files: KeyFiles,
}

impl Lab {
    pub(in crate::erase) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["journal", "keys", "master", "backup"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let files = KeyFiles {
            store: folder.path().join("keys/keys.db"),
            master: folder.path().join("master/master.key"),
            apart_from: vec![folder.path().join("journal")],
        };
        KeyStore::create(&files).unwrap();
        Self { folder, files }
    }

    pub(in crate::erase) fn open(&self) -> KeyStore {
        KeyStore::open(&self.files).unwrap()
    }

    /// Everything that lies in the folders of the keys.
    fn bytes(&self) -> Vec<u8> {
        let folders = ["keys", "master"].map(|name| fs::read_dir(self.folder.path().join(name)).unwrap());
        folders.into_iter().flatten().flat_map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    fn back_up(&self) {
        let to = self.folder.path().join("backup");
        fs::copy(&self.files.store, to.join("keys.db")).unwrap();
        fs::copy(&self.files.master, to.join("master.key")).unwrap();
    }

    fn restore(&self, name: &str, to: &Path) {
        fs::copy(self.folder.path().join("backup").join(name), to).unwrap();
    }
}

fn secret_of(store: &KeyStore, key: KeyId) -> Secret {
    match store.find(key).unwrap() {
        Found::Key(secret) => secret,
        Found::Dropped => panic!("the key was dropped"),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_person_has_one_key_that_survives_reopening() {
    let lab = Lab::new();
    let (key, secret) = lab.open().key_of("eve").unwrap();
    let store = lab.open();
    assert_eq!(store.key_of("eve").unwrap(), (key, secret.clone()));
    assert_eq!(secret_of(&store, key), secret);
    assert_ne!(store.key_of("adam").unwrap().0, key);
    let unknown = KeyId::generate();
    assert!(matches!(store.find(unknown), Err(ErasureError::UnknownKey { key }) if key == unknown));
}

#[test]
fn neither_a_key_nor_a_persons_name_lies_open_in_any_file_and_nothing_of_a_dropped_one_at_all() {
    let lab = Lab::new();
    let store = lab.open();
    let (_, kept) = store.key_of("person-to-keep").unwrap();
    let (_, secret) = store.key_of("person-to-erase").unwrap();
    let wrapped: Vec<u8> = {
        let open = store.lock();
        let sql = "SELECT wrapped FROM keys WHERE subject = ?1";
        open.connection.query_row(sql, [open.master.tag("person-to-erase")], |row| row.get(0)).unwrap()
    };
    let before = lab.bytes();
    assert!(contains(&before, &wrapped));
    for plain in [&secret.as_bytes()[..], kept.as_bytes(), b"person-to-erase", b"person-to-keep"] {
        assert!(!contains(&before, plain));
    }
    assert!(store.drop_keys_of("person-to-erase").unwrap());
    // While the store is open: nothing waits for its end.
    let after = lab.bytes();
    assert!(!contains(&after, &wrapped));
    assert!(!contains(&after, &wrapped[NONCE..NONCE + 16]));
    assert_eq!(store.key_of("person-to-keep").unwrap().1, kept);
}

const NONCE: usize = crate::erase::crypt::NONCE_BYTES;

#[test]
fn an_erasure_that_ends_at_any_step_is_done_again_and_loses_nobody_elses_key() {
    type Crash = fn(&Lab, KeyStore);
    let crashes: [(&str, Crash); 6] = [
        ("after the next master key was laid down", |_, store| {
            store.master_file.prepare().unwrap();
        }),
        ("in the middle of that", |lab, store| {
            let next = store.master_file.prepare().unwrap();
            let path = lab.folder.path().join("master/master.key.next");
            fs::write(path, &next.to_text().as_bytes()[..30]).unwrap();
        }),
        ("after the store named it", |_, store| {
            store.replace_master(&Doomed::Of("eve")).unwrap();
        }),
        ("while the old one was overwritten", |lab, store| {
            store.replace_master(&Doomed::Of("eve")).unwrap();
            fs::write(&lab.files.master, [0xa5; 98]).unwrap();
        }),
        ("after the old one was removed", |lab, store| {
            store.replace_master(&Doomed::Of("eve")).unwrap();
            fs::remove_file(&lab.files.master).unwrap();
        }),
        ("before the old pages were removed", |_, store| {
            store.replace_master(&Doomed::Of("eve")).unwrap();
            store.destroy_old_master().unwrap();
        }),
    ];
    for (step, crash) in crashes {
        let lab = Lab::new();
        let store = lab.open();
        let (gone, _) = store.key_of("eve").unwrap();
        let (kept, secret) = store.key_of("adam").unwrap();
        let old = fs::read(&lab.files.master).unwrap();
        crash(&lab, store);

        let store = lab.open();
        assert!(!lab.folder.path().join("master/master.key.next").exists(), "{step}");
        store.drop_keys_of("eve").unwrap();
        assert!(matches!(store.find(gone).unwrap(), Found::Dropped), "{step}");
        assert_eq!(secret_of(&store, kept), secret, "{step}");
        assert_eq!(store.dropped().unwrap(), [gone], "{step}");
        assert_eq!(store.pending().unwrap().len(), 1, "{step}");
        assert!(!file::is_unclean(&store.lock().connection).unwrap(), "{step}");
        assert_ne!(fs::read(&lab.files.master).unwrap(), old, "{step}");
        drop(store);
        assert_eq!(secret_of(&lab.open(), kept), secret, "{step}");
    }
}

#[test]
fn an_older_copy_of_the_store_does_not_open_under_the_new_master_key() {
    let lab = Lab::new();
    let store = lab.open();
    store.key_of("eve").unwrap();
    drop(store);
    lab.back_up();
    lab.open().drop_keys_of("eve").unwrap();
    lab.restore("keys.db", &lab.files.store);
    assert!(matches!(KeyStore::open(&lab.files), Err(ErasureError::OtherMaster)));
    // The master key is still there for a copy that it fits.
    assert!(lab.files.master.exists());
}

#[test]
fn a_store_that_was_restored_with_its_master_key_is_refused_until_the_list_is_applied() {
    let lab = Lab::new();
    let store = lab.open();
    let (eve, _) = store.key_of("eve").unwrap();
    let (adam, secret) = store.key_of("adam").unwrap();
    drop(store);
    lab.back_up();
    let store = lab.open();
    store.drop_keys_of("eve").unwrap();
    let list = store.dropped().unwrap();
    store.check(&list).unwrap();
    drop(store);
    lab.restore("keys.db", &lab.files.store);
    lab.restore("master.key", &lab.files.master);

    let store = lab.open();
    assert!(matches!(store.check(&list), Err(ErasureError::DroppedKeysAlive { count: 1 })));
    store.apply(&list).unwrap();
    store.check(&list).unwrap();
    assert!(matches!(store.find(eve).unwrap(), Found::Dropped));
    assert_eq!(secret_of(&store, adam), secret);
    assert!(matches!(store.check(&[adam]), Err(ErasureError::OtherList)));
    assert!(matches!(store.apply(&[adam]), Err(ErasureError::OtherList)));
}

#[test]
fn two_who_have_the_store_open_see_each_others_erasures() {
    let lab = Lab::new();
    let (one, other) = (lab.open(), lab.open());
    let (eve, _) = one.key_of("eve").unwrap();
    let (adam, secret) = one.key_of("adam").unwrap();
    assert_eq!(other.key_of("adam").unwrap().0, adam);
    one.drop_keys_of("eve").unwrap();
    assert!(matches!(other.find(eve).unwrap(), Found::Dropped));
    assert_eq!(secret_of(&other, adam), secret);
    // Who comes back is somebody new.
    let (again, _) = other.key_of("eve").unwrap();
    assert_ne!(again, eve);
    assert_eq!(one.key_of("eve").unwrap().0, again);
    assert!(other.drop_keys_of("eve").unwrap());
    assert!(!one.drop_keys_of("eve").unwrap());
    assert_eq!(one.dropped().unwrap(), [eve, again]);
    assert_eq!(secret_of(&one, adam), secret);
}

#[test]
fn more_keys_than_are_wrapped_at_once_all_stay() {
    let lab = Lab::new();
    let store = lab.open();
    {
        let mut open = store.lock();
        let Open { connection, master } = &mut *open;
        let transaction = begin(connection).unwrap();
        for number in 0..1_500 {
            let (key, subject) = (KeyId::generate(), format!("person-{number}"));
            let unwrapped = Unwrapped { secret: Secret::generate().unwrap(), subject: subject.clone() };
            let wrapped = master.wrap(&store.id, &key, &unwrapped).unwrap();
            let row = params![key.as_uuid().as_bytes(), master.tag(&subject), wrapped];
            transaction.execute("INSERT INTO keys (id, subject, wrapped) VALUES (?1, ?2, ?3)", row).unwrap();
        }
        transaction.commit().unwrap();
    }
    let before = ["person-0", "person-1499"].map(|subject| store.key_of(subject).unwrap());
    assert!(store.drop_keys_of("person-700").unwrap());
    assert_eq!(["person-0", "person-1499"].map(|subject| store.key_of(subject).unwrap()), before);
    let keys: i64 = store.lock().connection.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap();
    assert_eq!(keys, 1_499);
}

#[test]
fn keys_beside_the_journal_or_beside_their_master_key_are_refused() {
    let lab = Lab::new();
    let path = |name: &str| lab.folder.path().join(name);
    let places = [("journal/keys.db", "master/m"), ("keys/k", "journal/m"), ("keys/k", "keys/m")];
    for (store, master) in places {
        let files = KeyFiles { store: path(store), master: path(master), ..lab.files.clone() };
        assert!(matches!(KeyStore::create(&files), Err(ErasureError::Place(_))), "{store} {master}");
    }
    assert!(matches!(KeyStore::create(&lab.files), Err(ErasureError::NotMade)));
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&lab.files.master, readable).unwrap();
    let refused = KeyStore::open(&lab.files).unwrap_err();
    assert!(matches!(refused, ErasureError::MasterFile(SecretFileError::Permissions { .. })));
}
