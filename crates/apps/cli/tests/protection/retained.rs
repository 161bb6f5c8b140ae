//! Log that the slot keeps on the source's disk: told, limited, and given up rather than filling the disk.

use atalaya_sandbox::{ServerOptions, StopMode};

use super::slots;
use crate::held::Held;
use crate::support::{Move, Ran, Running, eventually};

const TABLES: &str = "CREATE TABLE item (id bigserial PRIMARY KEY, pad text); CREATE TABLE other (id int PRIMARY KEY);
                      INSERT INTO other VALUES (1)";
/// About 1 MB of log.
const WRITE: &str = "INSERT INTO item (pad) SELECT repeat(md5(i::text), 40) FROM generate_series(1, 700) i";
const LIMITED: &[&str] = &["--wal-limit", "40MB"];
const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];

/// Small segments, so that little log is much.
fn source(major: u16) -> ServerOptions {
    ServerOptions::new(major).setting("max_wal_size", "32MB").setting("min_wal_size", "32MB")
}

/// Writes until the slot keeps so much of what it may, and waits until the run has told it: the run looks once a
/// second, and would not see what has passed by then.
fn write_until_told(shop: &Move, run: &mut Running, share_percent: u64, told: &str) {
    eventually("the slot keeps so much", || {
        run.assert_alive();
        shop.source.run_sql("shop", WRITE).unwrap();
        let slot = &shop.status()["slot"];
        let bytes = |field: &str| slot[field].as_u64();
        let kept = bytes("retained_bytes").unwrap();
        let may_keep = bytes("limit_bytes").or(bytes("safe_bytes").map(|safe| kept + safe)).unwrap();
        kept * 100 >= may_keep * share_percent
    });
    eventually("it is told", || {
        run.assert_alive();
        run.stderr().contains(told)
    });
}

/// Writes until a run ends by itself.
fn write_until_it_ends(shop: &Move, mut run: Running) -> Ran {
    eventually("its end", || {
        shop.source.run_sql("shop", WRITE).unwrap();
        !run.is_running()
    });
    run.wait()
}

fn assert_given_up(ran: &Ran) {
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("more than the limit of 40.0 MB: it was given up"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the move has to begin anew"), "{}", ran.stderr);
}

#[test]
fn a_slot_beyond_its_limit_is_given_up_while_changes_are_followed_and_in_the_copy() {
    let shop = Move::with(source(15), ServerOptions::new(18));
    shop.source.run_sql("shop", TABLES).unwrap();

    // Followed: the target takes nothing, and a kill comes before the slot is dropped.
    let mut run = shop.spawn_with("start", LIMITED, &[("ATALAYA_FAILPOINT", "give-up-stored:1")]);
    shop.wait_until_following(&mut run);
    assert_eq!(shop.status()["slot"]["limit_bytes"], 40_000_000);
    let lock = Held::open(&shop.target_url, "BEGIN; LOCK TABLE public.item IN EXCLUSIVE MODE");
    write_until_told(&shop, &mut run, 60, "% of the limit of 40.0 MB, at which it is given up");
    let ran = write_until_it_ends(&shop, run);
    assert_eq!(ran.signal, Some(9), "{:?} {}", ran.code, ran.stderr);
    assert!(ran.stderr.matches("% of the limit of").count() <= 5, "{}", ran.stderr);
    drop(lock);
    assert_eq!(slots(&shop.source), "1");
    for _ in 0..2 {
        assert_given_up(&shop.run("start", LIMITED));
        assert_eq!(slots(&shop.source), "0");
    }
    assert_eq!(shop.status()["given_up"]["limit_bytes"], 40_000_000);
    let text = shop.done("status", &[]);
    assert!(text.contains("GIVEN UP the slot kept") && text.contains("missing"), "{text}");
    let ran = shop.run("finish", &[]);
    assert_given_up(&ran);
    shop.done("abort", &["--drop-target"]);

    // In the copy, which waits for a table of the source.
    let arguments = ["--wal-limit", "40MB", "--workers", "1"];
    let mut run = shop.spawn_with("start", &arguments, &[("ATALAYA_FAILPOINT", "copy-begun:1:stop")]);
    run.wait_for_halt();
    let lock = Held::open(&shop.source_url, "BEGIN; LOCK TABLE public.other IN ACCESS EXCLUSIVE MODE");
    run.go_on();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya copy shop'
                      AND wait_event_type = 'Lock'";
    eventually("the copy waits", || shop.source.run_sql("shop", waiting).unwrap() == "1");
    assert_given_up(&write_until_it_ends(&shop, run));
    assert_eq!(slots(&shop.source), "0");
    let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'atalaya %'";
    eventually("nothing of ours is connected", || shop.source.run_sql("shop", ours).unwrap() == "0");
    drop(lock);
    shop.done("abort", &["--drop-target"]);

    shop.done("start", CAUGHT_UP);
    shop.assert_equal();
    shop.done("finish", &[]);
}

#[test]
fn a_slot_is_given_up_without_the_target_and_one_that_the_source_cut_off_ends_the_run() {
    let mut shop = Move::with(source(13), ServerOptions::new(18));
    shop.source.run_sql("shop", TABLES).unwrap();

    // The target is down: nobody can be told, and the source is freed all the same.
    let run = shop.follow(LIMITED);
    shop.target.stop(StopMode::Immediate).unwrap();
    assert_given_up(&write_until_it_ends(&shop, run));
    assert_eq!(slots(&shop.source), "0");
    shop.target.start_again().unwrap();
    let ran = shop.run("start", &[]);
    assert!(ran.code == Some(4) && ran.stderr.contains("is gone from the source"), "{}", ran.stderr);
    shop.done("abort", &["--drop-target"]);

    // The server's own limit, which is told before it is reached.
    shop.source.configure("max_slot_wal_keep_size", "48MB").unwrap();
    shop.source.reload();
    let mut run = shop.follow(&[]);
    assert!(shop.done("status", &[]).contains("cut off by the source after"));
    let _lock = Held::open(&shop.target_url, "BEGIN; LOCK TABLE public.item IN EXCLUSIVE MODE");
    write_until_told(&shop, &mut run, 60, "% of what max_slot_wal_keep_size lets it keep");
    eventually("its end", || {
        shop.source.run_sql("shop", &format!("{WRITE}; CHECKPOINT")).unwrap();
        !run.is_running()
    });
    let ran = run.wait();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("cuts off replication slot") || ran.stderr.contains("has lost its log"),
        "{}",
        ran.stderr
    );
}
