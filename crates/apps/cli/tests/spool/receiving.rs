//! What goes into a spool while rows are copied comes out of it afterwards.

use std::os::unix::fs::PermissionsExt;

use super::field::{Field, number};
use crate::busy::Busy;
use crate::support::{Move, eventually};
use crate::writes::Writes;

#[test]
fn changes_of_the_copys_time_wait_on_disk_and_the_source_keeps_its_log() {
    let mut field = Field::new(Move::between(13, 18));
    let (mut run, lock) = field.copying(&[]);
    let end = field.change();
    field.wait_until_spooled(&mut run, end);
    let status = field.shop.status();
    assert_eq!((&status["phase"], &status["spool"]["received_lsn"]), (&"copy".into(), &serde_json::Value::Null));
    assert!(number(&status["spool"]["bytes"]) > 100_000, "{status}");
    assert!(field.confirmed() <= field.stored("applied") && field.stored("applied") < end, "{status}");
    let text = field.shop.done("status", &[]);
    assert!(text.contains("of at most 16.0 GB; the source keeps its log"), "{text}");
    for path in field.segments().iter().chain(&field.folder()) {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
    drop(lock);
    field.shop.wait_until_following(&mut run);
    // The spool is read to its end, and the source itself is followed.
    let end = field.change();
    eventually("everything applied and told", || field.stored("applied") >= end && field.confirmed() >= end);
    assert_eq!(field.folder(), None);
    assert_eq!(field.shop.status()["spool"], serde_json::Value::Null);
    field.shop.done("stop", &[]);
    assert_eq!(run.wait().code, Some(0));
    field.finish(&[]);
}

#[test]
fn with_ack_spool_the_source_frees_its_log_while_rows_are_copied() {
    let mut field = Field::new(Move::between(18, 18));
    let (mut run, lock) = field.copying(&["--ack-spool"]);
    let (kept, applied) = (field.kept_from(), field.stored("applied"));
    let mut end = 0;
    for _ in 0..3 {
        end = field.change();
        field.wait_until_received(&mut run, end);
    }
    assert_eq!(field.stored("applied"), applied, "something was applied while rows were copied");
    // The source writes such a record by itself every 15 s; its slot moves with it.
    eventually("the source keeps less", || {
        field.shop.source.run_sql("shop", "SELECT pg_log_standby_snapshot()").unwrap();
        field.kept_from() > kept && field.kept_from() >= end
    });
    let text = field.shop.done("status", &[]);
    assert!(text.contains("the source has freed its log up to"), "{text}");
    assert!(run.stderr().contains("from then on the move depends on this disk"), "{}", run.stderr());
    drop(lock);
    field.shop.wait_until_following(&mut run);
    eventually("nothing depends on the spool", || field.stored("received") == 0 && field.folder().is_none());
    let end = field.change();
    eventually("everything applied and told", || field.stored("applied") >= end && field.confirmed() >= end);
    field.shop.done("stop", &[]);
    assert_eq!(run.wait().code, Some(0));
    field.finish(&[]);
}

#[test]
fn a_ledger_that_is_written_to_all_the_time_reconciles_over_a_kill_in_the_copy() {
    const OPTIONS: &[&str] = &["--ack-spool", "--spool-limit", "3MB"];
    let field = Field::new(Move::between(16, 18));
    let writes = Writes::start(&field.shop.source_url, 3, 300);
    Busy::prepare(&field.shop.target_url, None);
    let empty = "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(oid::regclass::text, ', ') FROM pg_class
                  WHERE relkind = 'r' AND relnamespace = 'ledger'::regnamespace); END $$";
    field.shop.target.run_sql("shop", empty).unwrap();
    let (mut run, lock) = field.copying(OPTIONS);
    writes.wait_for_more(200);
    let received = field.confirmed();
    field.wait_until_received(&mut run, received + 1);
    drop(run);
    writes.wait_for_more(100);
    let mut run = field.start(OPTIONS, "");
    let before = field.stored("received");
    field.wait_until_received(&mut run, before + 1);
    writes.wait_for_more(200);
    drop(lock);
    field.shop.wait_until_following(&mut run);
    writes.wait_for_more(50);
    let written = writes.stop();
    field.shop.done("stop", &[]);
    assert_eq!(run.wait().code, Some(0));
    field.finish(&[]);
    written.assert_reconciled(&field.shop.target_url);
}
