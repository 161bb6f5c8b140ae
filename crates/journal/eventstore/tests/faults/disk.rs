//! Full disks, on small file systems of their own.

use std::path::Path;
use std::process::Command;

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Append, Error, Expected, Options, Store};
use atalaya_sandbox::{Server, ServerOptions, StopMode};

use crate::making::{all, event, one, stream};

/// A tmpfs of a given size; unmounted when dropped.
struct Volume(tempfile::TempDir);

impl Volume {
    fn mount(size: &str) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "a small file system can only be mounted by root: run the tests with `sudo`, or in a container"
        );
        let volume = Self(tempfile::tempdir().unwrap());
        system("mount", &["-t", "tmpfs", "-o", &format!("size={size},mode=0755"), "tmpfs", volume.text()]);
        volume
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn text(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// Takes all room but so many bytes, until it is dropped.
    fn fill_but(&self, left: u64) -> Ballast {
        let output = Command::new("df").args(["--output=avail", "-B1", self.text()]).output().unwrap();
        let free: u64 = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().trim().parse().unwrap();
        let ballast = self.path().join("ballast");
        system("fallocate", &["-l", &free.saturating_sub(left).to_string(), ballast.to_str().unwrap()]);
        Ballast(ballast)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _gone = Command::new("umount").args(["--lazy", self.text()]).status();
    }
}

struct Ballast(std::path::PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn system(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Appends until there is no room; how many were made.
async fn fill(store: &Store) -> usize {
    for made in 0..2_000 {
        // Data that no page can be made smaller by.
        let data: String = (0..1_000).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        match store.append(Append::to_stream(stream("a-1"), Expected::Any, vec![event(&data)])).await {
            Ok(_) => {}
            Err(Error::NoRoom { .. }) => return made,
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("the volume never filled");
}

async fn fills_up_and_goes_on(store: Store, ballast: Ballast) {
    store.append(one("a-0", Expected::None)).await.unwrap();
    let made = fill(&store).await;
    assert!(made > 0);
    assert_eq!(all(&store).await.len(), made + 1, "it can be read meanwhile, and nothing is there half");
    drop(ballast);
    store.append(one("a-1", Expected::Exact(made as u64))).await.unwrap();
    assert_eq!(all(&store).await.len(), made + 2);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_a_file_is_said_and_appending_goes_on_once_there_is_room() {
    let volume = Volume::mount("16m");
    let path = volume.path().join("journal.db");
    let store = Store::open_sqlite(&path, Options::default()).await.unwrap();
    let ballast = volume.fill_but(3 << 20);
    fills_up_and_goes_on(store, ballast).await;
    let store = Store::open_sqlite(&path, Options::default()).await.unwrap();
    assert!(all(&store).await.len() > 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_a_server_is_said_and_appending_goes_on_once_there_is_room() {
    let (volume, elsewhere) = (Volume::mount("256m"), Volume::mount("256m"));
    let options = ServerOptions::new(18)
        .parent_folder(volume.path())
        .setting("max_wal_size", "32MB")
        .setting("min_wal_size", "32MB");
    let mut server = Server::start(options).unwrap();
    // Its log on a volume of its own: a server whose log has no room stops altogether.
    server.stop(StopMode::Fast).unwrap();
    let (log, moved) = (server.folder().join("data/pg_wal"), elsewhere.path().join("pg_wal"));
    system("cp", &["-a", log.to_str().unwrap(), moved.to_str().unwrap()]);
    std::fs::remove_dir_all(&log).unwrap();
    std::os::unix::fs::symlink(&moved, &log).unwrap();
    server.start_again().unwrap();
    let url = ConnectionUrl::parse(&server.url("postgres")).unwrap();
    let store = Store::open_postgres(&url, Options::default()).await.unwrap();
    let ballast = volume.fill_but(8 << 20);
    fills_up_and_goes_on(store, ballast).await;
}
