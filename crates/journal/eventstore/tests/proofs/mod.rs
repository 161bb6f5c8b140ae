//! Tamper evidence and erasure, on every backend.

mod erasing;
mod exporting;
mod forging;
mod killed;
mod tampering;

use std::path::{Path, PathBuf};

use atalaya_eventstore::Store;
use atalaya_eventstore::checkpoint::{Folder, SigningKey, create_key};

use crate::making::numbered;

/// A signing key and a folder of another trust domain.
struct Outside {
    folder: tempfile::TempDir,
}

impl Outside {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["exported", "keys", "master", "backup"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        create_key(&folder.path().join("signing.key"), &[]).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self) -> SigningKey {
        SigningKey::open(&self.path("signing.key"), &[]).unwrap()
    }

    async fn exported(&self, store: &Store) -> Folder {
        let trusted = vec![self.key().verifying(&store.origin().await.unwrap()).unwrap()];
        Folder::open(Path::new(&self.path("exported")), trusted).unwrap()
    }
}

/// Twenty events in five streams, two by two.
async fn twenty(store: &Store) {
    for number in 0..10 {
        store.append(numbered(&format!("order-{}", number % 5), number..number + 2)).await.unwrap();
    }
}
