//! Kills at every step between a change that arrives and a spool that is gone.

use super::field::Field;
use crate::support::Move;

const OPTIONS: &[&str] = &["--ack-spool", "--spool-limit", "2MB"];
const CAUGHT_UP: &[&str] = &["--ack-spool", "--spool-limit", "2MB", "--stop-when", "caught-up"];

/// Places while rows are copied: before the fsync, before `received` is stored, before and after the source is told.
const COPY: &[&str] = &[
    "spool-written:1",
    "spool-synced:1",
    "spool-received-stored:1",
    "spool-acknowledged:1",
    "spool-written:3",
    "spool-received-stored:2",
    "spool-synced:2",
];

/// Places while the spool is read, and once it is.
const AFTERWARDS: &[&str] = &["apply-committed:1", "spool-handed-over:1"];

#[test]
fn nine_kills_beside_the_spool_lose_nothing_and_apply_nothing_twice() {
    let mut field = Field::new(Move::between(14, 18));
    let lock = field.lock();
    let mut received = 0;
    for place in COPY {
        field.change();
        let run = field.start(OPTIONS, place);
        // Every place is come to, however little is left of what an earlier run has received.
        let run = field.write_until_it_ends(run);
        assert_eq!(run.signal, Some(9), "{place}: {:?} {}", run.code, run.stderr);
        let now = field.stored("received");
        assert!(now >= received, "{place}: {now} < {received}");
        assert!(field.confirmed() <= now.max(field.stored("applied")), "{place}: more is told than stored");
        received = now;
    }
    assert!(received > field.stored("applied"), "nothing was received");
    drop(lock);
    for place in AFTERWARDS {
        field.change();
        let run = field.start(CAUGHT_UP, place).wait();
        assert_eq!(run.signal, Some(9), "{place}: {:?} {}", run.code, run.stderr);
        let known = field.stored("received").max(field.stored("applied"));
        assert!(field.confirmed() <= known, "{place}: more is told than stored");
    }
    field.change();
    field.finish(OPTIONS);
}

#[test]
fn a_kill_between_a_spool_that_is_forgotten_and_its_files_leaves_nothing_behind() {
    let mut field = Field::new(Move::between(16, 18));
    let (mut run, lock) = field.copying(OPTIONS);
    let end = field.change();
    field.wait_until_received(&mut run, end);
    drop(run);
    drop(lock);
    let run = field.start(CAUGHT_UP, "spool-forgotten").wait();
    assert_eq!(run.signal, Some(9), "{:?} {}", run.code, run.stderr);
    assert_eq!(field.stored("received"), 0);
    assert!(field.folder().is_some());
    field.finish(OPTIONS);
}
