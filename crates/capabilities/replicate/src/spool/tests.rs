//! Writing, cutting, reading and checking, without a server.

use std::path::Path;
use std::sync::Arc;

use atalaya_data::Lsn;
use atalaya_postgres::wire::ReplicationEvent;
use bytes::Bytes;

use super::drain::Drain;
use super::format::Identity;
use super::verify::{Promise, verify};
use super::writer::{Durability, Flushed, Start, Writer};
use super::{segment, shared::Shared};
use crate::{Error, Failpoints};

fn identity() -> Identity {
    let text = str::to_owned;
    Identity { spool: text("5f"), migration: text("shop"), slot: text("s"), system_identifier: 7, timeline: 1 }
}

fn start(limit_bytes: u64) -> Start {
    let (identity, failpoints) = (identity(), Failpoints::none());
    Start { identity, durability: Durability::Kept, limit_bytes, failpoints, lock: tempfile::tempfile().unwrap() }
}

fn begin() -> Bytes {
    [&b"B"[..], &[0; 20]].concat().into()
}

fn commit(end: u64) -> Bytes {
    [&b"C\0"[..], &(end - 1).to_be_bytes(), &end.to_be_bytes(), &[0; 8]].concat().into()
}

/// The shape of a relation without columns.
fn relation(id: u8, name: &str) -> Bytes {
    [&b"R\0\0\0"[..], &[id], b"public\0", name.as_bytes(), b"\0d\0\0"].concat().into()
}

/// An inserted row of one column with that many bytes.
fn insert(id: u8, bytes: u8) -> Bytes {
    [&b"I\0\0\0"[..], &[id], b"N\0\x01t\0\0\0", &[bytes], &vec![b'x'; usize::from(bytes)]].concat().into()
}

/// A transaction that ends there.
fn write(writer: &mut Writer, end: u64, changes: &[Bytes]) -> Flushed {
    writer.push(begin()).unwrap();
    for change in changes {
        writer.push(change.clone()).unwrap();
    }
    writer.push(commit(end)).unwrap();
    writer.flush().unwrap()
}

/// Everything that a reader behind `applied` gets.
fn read(shared: &Arc<Shared>, applied: u64) -> Vec<Bytes> {
    let end = *shared.complete.borrow();
    let mut drain = Drain::new(Arc::clone(shared), Lsn(applied));
    let mut found = Vec::new();
    while !drain.is_at(&end) {
        for event in drain.read(&end).unwrap() {
            match event {
                ReplicationEvent::Data { payload, .. } => found.push(payload),
                ReplicationEvent::Keepalive { wal_end, .. } => found.push(wal_end.to_string().into()),
            }
        }
    }
    found
}

fn promise(applied: u64, received: u64) -> Promise {
    Promise { identity: identity(), applied: Lsn(applied), received: Lsn(received) }
}

fn check(folder: &Path, applied: u64, received: u64) -> Result<(Arc<Shared>, super::writer::Mark), &'static str> {
    verify(folder, &promise(applied, received), Failpoints::none()).map_err(|error| match error {
        Error::Refused { code, .. } => code,
        other => panic!("{other}"),
    })
}

#[test]
fn a_transaction_that_was_cut_off_is_never_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(start(1 << 20), folder.path(), Lsn(10)).unwrap();
    write(&mut writer, 20, &[insert(1, 5)]);
    writer.push(begin()).unwrap();
    writer.push(insert(1, 9)).unwrap();
    assert_eq!(writer.flush().unwrap(), Flushed::Written);
    let whole = [begin(), insert(1, 5), commit(20)];
    assert_eq!(read(writer.shared(), 10), whole);
    // Of what is not in the file yet, nothing counts either.
    writer.push(commit(30)).unwrap();
    assert_eq!(writer.position(), Lsn(20));
    writer.cut().unwrap();
    assert_eq!(read(writer.shared(), 10), whole);
    write(&mut writer, 30, &[insert(1, 9), insert(1, 1)]);
    writer.idle(Lsn(40));
    writer.flush().unwrap();
    let all = [&whole[..], &[begin(), insert(1, 9), insert(1, 1), commit(30), "0/28".into()]].concat();
    assert_eq!(read(writer.shared(), 10), all);
    assert_eq!(writer.sync().unwrap(), Lsn(40));
    let (shared, mark) = check(folder.path(), 10, 30).unwrap();
    assert_eq!((mark.position, read(&shared, 10)), (Lsn(30), all[..7].to_vec()));
}

#[test]
fn what_is_applied_is_deleted_and_the_rest_still_knows_its_relations() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(start(2000), folder.path(), Lsn(10)).unwrap();
    write(&mut writer, 20, &[relation(1, "old"), relation(2, "other"), insert(1, 200), insert(2, 1)]);
    write(&mut writer, 30, &[relation(1, "new"), insert(1, 200)]);
    write(&mut writer, 40, &[insert(2, 3), insert(1, 4)]);
    assert!(segment::list(folder.path()).unwrap().len() >= 3);
    // In order, each is told where the source told it.
    let all = read(writer.shared(), 10);
    assert_eq!(all.iter().filter(|payload| payload[0] == b'R').count(), 3);
    writer.delete_before(Lsn(30)).unwrap();
    assert_eq!(segment::list(folder.path()).unwrap()[0], 3);
    // Behind what is deleted, each is told once, before its first change, as it was last.
    let rest = [begin(), relation(2, "other"), insert(2, 3), relation(1, "new"), insert(1, 4), commit(40)];
    assert_eq!(read(writer.shared(), 30), rest);
    let (shared, _) = check(folder.path(), 30, 40).unwrap();
    assert_eq!(read(&shared, 30), rest);
    assert_eq!(check(folder.path(), 20, 40).unwrap_err(), "spool-short");
    assert_eq!(check(folder.path(), 30, 50).unwrap_err(), "spool-short");
    assert_eq!(check(folder.path(), 30, 35).unwrap_err(), "spool-damaged");
}

#[test]
fn a_limit_is_kept_and_what_did_not_fit_is_forgotten_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(start(900), folder.path(), Lsn(10)).unwrap();
    assert_eq!(write(&mut writer, 20, &[insert(1, 50)]), Flushed::Written);
    let before = read(writer.shared(), 10);
    assert_eq!(write(&mut writer, 30, &[insert(1, 250), insert(1, 250), insert(1, 250)]), Flushed::Full);
    assert_eq!(write(&mut writer, 40, &[]), Flushed::Full);
    writer.cut().unwrap();
    assert_eq!((writer.position(), read(writer.shared(), 10)), (Lsn(20), before));
    assert!(writer.shared().bytes() <= 900);
    // A message of a transaction in progress was not asked for.
    assert!(writer.push(Bytes::from_static(b"S\0\0\0\x01\x01")).is_err());
}
