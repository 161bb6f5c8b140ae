//! Full disks, on small file systems of their own: the target's, the source's log's, our own state folder's.

use std::path::{Path, PathBuf};
use std::process::Command;

use atalaya_sandbox::{Server, ServerOptions, StopMode};

use super::connecting::assert_failed;
use crate::held::Held;
use crate::spool::Field;
use crate::support::{Move, eventually};

/// A tmpfs of a given size; unmounted when dropped.
struct Volume {
    folder: tempfile::TempDir,
}

impl Volume {
    fn mount(size: &str) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "a small file system can only be mounted by root: run the tests with `sudo`, or in a container"
        );
        let folder = tempfile::tempdir().unwrap();
        let volume = Self { folder };
        system("mount", &["-t", "tmpfs", "-o", &format!("size={size},mode=0755"), "tmpfs", volume.text()]);
        volume
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn text(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// Takes all room but so many bytes; answers with the file that does.
    fn fill_but(&self, left: u64) -> PathBuf {
        let output = Command::new("df").args(["--output=avail", "-B1", self.text()]).output().unwrap();
        let free: u64 = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().trim().parse().unwrap();
        let ballast = self.path().join("ballast");
        let wanted = free.saturating_sub(left).to_string();
        system("fallocate", &["-l", &wanted, ballast.to_str().unwrap()]);
        ballast
    }

    fn resize(&self, size: &str) {
        system("mount", &["-o", &format!("remount,size={size}"), self.text()]);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _gone = Command::new("umount").args(["--lazy", self.text()]).status();
    }
}

fn system(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Puts a server's log into another folder, as a volume of its own would.
fn move_log(server: &mut Server, folder: &Path) {
    server.stop(StopMode::Fast).unwrap();
    let log = server.folder().join("data/pg_wal");
    let moved = folder.join("pg_wal");
    system("cp", &["-a", log.to_str().unwrap(), moved.to_str().unwrap()]);
    std::fs::remove_dir_all(&log).unwrap();
    std::os::unix::fs::symlink(&moved, &log).unwrap();
    server.start_again().unwrap();
}

fn small_log(major: u16) -> ServerOptions {
    ServerOptions::new(major).setting("max_wal_size", "32MB").setting("min_wal_size", "32MB")
}

const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];

#[test]
fn a_target_without_room_fails_with_nothing_half_copied_and_goes_on_once_there_is_some() {
    let (volume, elsewhere) = (Volume::mount("256m"), Volume::mount("256m"));
    let mut shop = Move::with(ServerOptions::new(15), small_log(18).parent_folder(volume.path()));
    move_log(&mut shop.target, elsewhere.path());
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 100);
             CREATE TABLE large (id int PRIMARY KEY, pad text);
             INSERT INTO large SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 40000) i",
        )
        .unwrap();
    let ballast = volume.fill_but(20 << 20);
    let ran = shop.run("start", CAUGHT_UP);
    assert_failed(&ran, 1, "No space left on device", "disk space");
    let large = "SELECT state, copied_rows FROM atalaya.tables WHERE name = 'large'";
    assert_eq!(shop.target.run_sql("shop", large).unwrap(), "pending|0");
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM large").unwrap(), "0");
    std::fs::remove_file(ballast).unwrap();
    shop.source.run_sql("shop", "UPDATE large SET pad = 'changed' WHERE id % 10 = 0").unwrap();
    shop.done("start", CAUGHT_UP);
    shop.assert_equal();
}

#[test]
fn a_source_whose_log_fills_its_disk_ends_the_run_and_the_same_command_goes_on_once_there_is_room() {
    let volume = Volume::mount("128m");
    // One that came back by itself before anybody looked would not have been seen to be down.
    let source = small_log(15).durable().setting("restart_after_crash", "off");
    let mut shop = Move::with(source, ServerOptions::new(18));
    move_log(&mut shop.source, volume.path());
    shop.source.run_sql("shop", "CREATE TABLE item (id bigserial PRIMARY KEY, pad text)").unwrap();
    shop.done("start", CAUGHT_UP);
    // A target that does not take changes makes the source keep its log.
    let lock = Held::open(&shop.target_url, "BEGIN; LOCK TABLE public.item IN EXCLUSIVE MODE");
    let insert = "INSERT INTO item (pad) SELECT repeat(md5(i::text), 30) FROM generate_series(1, 4000) i";
    shop.source.run_sql("shop", insert).unwrap();
    let run = shop.spawn("start", &["--stop-when", "caught-up", "--retries", "2"]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya apply shop'
                      AND wait_event_type = 'Lock'";
    eventually("apply waits", || shop.target.run_sql("shop", waiting).unwrap() == "1");
    let mut batches = 0;
    while shop.source.run_sql("shop", insert).is_ok() {
        batches += 1;
        assert!(batches < 100, "the volume never filled");
    }
    assert!(shop.source.log_tail(200).contains("No space left on device"), "{}", shop.source.log_tail(50));
    eventually("the source is down", || shop.source.run_sql("shop", "SELECT 1").is_err());
    drop(lock);
    assert_failed(&run.wait(), 1, &format!("127.0.0.1:{}", shop.source.port()), "a full disk");
    volume.resize("512m");
    // It may be on its way down still.
    let source = &mut shop.source;
    eventually("the source is back", || source.start_again().is_ok() && source.run_sql("shop", "SELECT 1").is_ok());
    shop.done("start", CAUGHT_UP);
    shop.assert_equal();
}

/// About 12 MB, more than is kept in memory.
const LARGE: &str = "INSERT INTO item SELECT i, repeat(md5(i::text), 16) FROM generate_series(10, 20000) i";

#[test]
fn transactions_in_progress_end_the_run_before_they_fill_the_state_folders_disk_and_it_goes_on_once_there_is_room() {
    let volume = Volume::mount("8m");
    let mut shop =
        Move::with(ServerOptions::new(16).setting("logical_decoding_work_mem", "64kB"), ServerOptions::new(18));
    shop.state = volume.path().join("state");
    shop.source
        .run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY, pad text); INSERT INTO item VALUES (1)")
        .unwrap();
    let mut run = shop.follow(&[]);
    let open = Held::open(&shop.source_url, &format!("SET search_path = public; BEGIN; {LARGE}"));
    eventually("the run ends", || !run.is_running());
    assert_failed(&run.wait(), 4, "leave no room on the disk", "make room");
    shop.source.run_sql("shop", "INSERT INTO item VALUES (2)").unwrap();
    // The same for a limit of one's own, above which a source keeps it where it is told to.
    volume.resize("64m");
    let limited = shop.run("start", &["--stop-when", "caught-up", "--spill-limit", "5MB"]);
    assert_failed(&limited, 4, "take more than 5.0 MB", "--spill-limit");
    let sent = "SELECT stream_txns FROM pg_stat_replication_slots";
    let before = shop.source.run_sql("shop", sent).unwrap();
    shop.done("start", &["--stop-when", "caught-up", "--spill-limit", "0MB"]);
    assert_eq!(shop.source.run_sql("shop", sent).unwrap(), before);
    let count = |wanted: &str| assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap(), wanted);
    count("2");
    shop.done("start", CAUGHT_UP);
    open.run("COMMIT").unwrap();
    shop.done("start", CAUGHT_UP);
    count("19993");
    shop.assert_equal();
}

#[test]
fn a_state_folder_without_room_fails_before_anything_is_copied_and_goes_on_once_there_is_some() {
    let volume = Volume::mount("64k");
    let mut shop = Move::between(15, 18);
    shop.state = volume.path().join("state");
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    let ballast = volume.fill_but(0);
    let ran = shop.run("start", CAUGHT_UP);
    assert_failed(&ran, 1, "No space left on device", "has room");
    let made = "SELECT count(*) FROM pg_class WHERE relname = 'item'";
    assert_eq!(shop.target.run_sql("shop", made).unwrap(), "0");
    std::fs::remove_file(ballast).unwrap();
    shop.done("start", CAUGHT_UP);
    shop.assert_equal();
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap(), "2");
}

#[test]
fn a_full_disk_below_the_spool_leaves_the_rest_on_the_source_and_the_copy_goes_on() {
    let volume = Volume::mount("4m");
    let mut shop = Move::between(15, 18);
    shop.state = volume.path().join("state");
    let mut field = Field::new(shop);
    let (mut run, lock) = field.copying(&["--ack-spool"]);
    let first = field.change();
    field.wait_until_received(&mut run, first);
    // Nothing was kept free for others, who now take it.
    let ballast = volume.fill_but(0);
    let end = field.change();
    eventually("the spool is full", || {
        run.assert_alive();
        field.shop.status()["spool"]["is_full"] == true
    });
    assert!(field.confirmed() < end, "more is told than fits");
    std::fs::remove_file(ballast).unwrap();
    // There is room again, long before the copy ends.
    field.wait_until_received(&mut run, end);
    let _ballast = volume.fill_but(0);
    field.change();
    drop(lock);
    field.shop.wait_until_following(&mut run);
    eventually("nothing depends on the spool", || field.stored("received") == 0 && field.folder().is_none());
    field.shop.done("stop", &[]);
    assert_eq!(run.wait().code, Some(0));
    field.finish(&[]);
}
