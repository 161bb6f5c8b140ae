//! One hand-made message of each kind, byte by byte as in the manual's "Logical Replication Message Formats".

use atalaya_data::Lsn;
use atalaya_pgwire::CodecError;
use atalaya_pgwire::pgoutput::{
    Begin, Commit, Decoder, LogicalMessage, Message, OldTuple, Prepared, Relation, RelationColumn, ReplicaIdentity,
    RollbackPrepared, StreamAbort, StreamCommit, Truncate, Tuple, TypeName, Value,
};
use atalaya_pgwire::replication::{FromServer, StandbyStatusUpdate};
use bytes::{Bytes, BytesMut};

const LSN_1: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 0x10];
const LSN_2: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 0x20];
const TIME: &[u8] = &[0, 0, 0, 0, 0, 0, 1, 0];
const XID: &[u8] = &[0, 0, 2, 1];
const AT_1: Lsn = Lsn(0x1_0000_0010);
const AT_2: Lsn = Lsn(0x1_0000_0020);
const MICROS: i64 = 256;

fn bytes(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

fn text(value: &'static str) -> Value {
    Value::Text(Bytes::from_static(value.as_bytes()))
}

/// Every message outside a streamed block, and what it means.
pub(crate) fn messages() -> Vec<(Bytes, Message)> {
    let mut all = transactions();
    all.extend(changes());
    all.extend(prepared());
    all
}

fn transactions() -> Vec<(Bytes, Message)> {
    let begin = Begin { final_lsn: AT_1, commit_time_micros: MICROS, xid: 513 };
    let commit = Commit { commit_lsn: AT_1, end_lsn: AT_2, commit_time_micros: MICROS };
    let abort = StreamAbort { xid: 513, subtransaction_xid: 7, abort_lsn: None, abort_time_micros: None };
    let parallel = StreamAbort { abort_lsn: Some(AT_1), abort_time_micros: Some(MICROS), ..abort };
    let relation = Relation {
        id: 16385,
        schema: "public".to_owned(),
        name: "t".to_owned(),
        replica_identity: ReplicaIdentity::Full,
        columns: vec![
            RelationColumn { is_key: true, name: "a".to_owned(), type_oid: 23, type_modifier: -1 },
            RelationColumn { is_key: false, name: "b".to_owned(), type_oid: 1043, type_modifier: 14 },
        ],
    };
    vec![
        (bytes(&[b"B", LSN_1, TIME, XID]), Message::Begin(begin)),
        (bytes(&[b"C\0", LSN_1, LSN_2, TIME]), Message::Commit(commit)),
        (bytes(&[b"O", LSN_1, b"elsewhere\0"]), Message::Origin { commit_lsn: AT_1, name: "elsewhere".to_owned() }),
        (
            bytes(&[
                b"R\0\0\x40\x01public\0t\0f\0\x02",
                b"\x01a\0\0\0\0\x17\xff\xff\xff\xff",
                b"\0b\0\0\0\x04\x13\0\0\0\x0e",
            ]),
            Message::Relation(relation),
        ),
        (
            bytes(&[b"Y\0\0\x40\x02\0mood\0"]),
            Message::Type(TypeName { id: 16386, schema: "pg_catalog".to_owned(), name: "mood".to_owned() }),
        ),
        (bytes(&[b"c", XID, b"\0", LSN_1, LSN_2, TIME]), Message::StreamCommit(StreamCommit { xid: 513, commit })),
        (bytes(&[b"A", XID, b"\0\0\0\x07"]), Message::StreamAbort(abort)),
        (bytes(&[b"A", XID, b"\0\0\0\x07", LSN_1, TIME]), Message::StreamAbort(parallel)),
    ]
}

fn changes() -> Vec<(Bytes, Message)> {
    let relation_id = 16385;
    let id: &[u8] = &[0, 0, 0x40, 1];
    let row: &[u8] = b"\0\x04t\0\0\0\x02abnub\0\0\0\x01\x09";
    let new =
        Tuple { values: vec![text("ab"), Value::Null, Value::UnchangedToast, Value::Binary(Bytes::from_static(&[9]))] };
    let key: &[u8] = b"\0\x01t\0\0\0\0";
    let old = Tuple { values: vec![text("")] };
    let update = |old| Message::Update { relation_id, old, new: new.clone() };
    let truncate = Truncate { relation_ids: vec![1, 2], cascade: true, restart_identity: true };
    let logical = LogicalMessage {
        transactional: true,
        lsn: AT_1,
        prefix: "atalaya".to_owned(),
        content: Bytes::from_static(b"hi\0"),
    };
    vec![
        (bytes(&[b"I", id, b"N", row]), Message::Insert { relation_id, new: new.clone() }),
        (bytes(&[b"U", id, b"N", row]), update(None)),
        (bytes(&[b"U", id, b"K", key, b"N", row]), update(Some(OldTuple::Key(old.clone())))),
        (bytes(&[b"U", id, b"O", key, b"N", row]), update(Some(OldTuple::Full(old.clone())))),
        (bytes(&[b"D", id, b"K", key]), Message::Delete { relation_id, old: OldTuple::Key(old.clone()) }),
        (bytes(&[b"D", id, b"O", key]), Message::Delete { relation_id, old: OldTuple::Full(old) }),
        (bytes(&[b"T\0\0\0\x02\x03\0\0\0\x01\0\0\0\x02"]), Message::Truncate(truncate)),
        (bytes(&[b"M\x01", LSN_1, b"atalaya\0\0\0\0\x03hi\0"]), Message::Logical(logical)),
    ]
}

fn prepared() -> Vec<(Bytes, Message)> {
    let step = Prepared { lsn: AT_1, end_lsn: AT_2, time_micros: MICROS, xid: 513, gid: "gid".to_owned() };
    let rollback = RollbackPrepared {
        prepare_end_lsn: AT_1,
        rollback_end_lsn: AT_2,
        prepare_time_micros: MICROS,
        rollback_time_micros: MICROS,
        xid: 513,
        gid: "gid".to_owned(),
    };
    let tail = [LSN_1, LSN_2, TIME, XID, b"gid\0"].concat();
    vec![
        (bytes(&[b"b", &tail]), Message::BeginPrepare(step.clone())),
        (bytes(&[b"P\0", &tail]), Message::Prepare(step.clone())),
        (bytes(&[b"K\0", &tail]), Message::CommitPrepared(step.clone())),
        (bytes(&[b"p\0", &tail]), Message::StreamPrepare(step)),
        (bytes(&[b"r\0", LSN_1, LSN_2, TIME, TIME, XID, b"gid\0"]), Message::RollbackPrepared(rollback)),
    ]
}

/// What travels inside copy data during replication.
pub(crate) fn replication() -> [Bytes; 2] {
    [bytes(&[b"w", LSN_1, LSN_2, TIME, b"payload"]), bytes(&[b"k", LSN_1, TIME, b"\x01"])]
}

#[test]
fn each_message_means_what_the_manual_says() {
    for (bytes, message) in messages() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(bytes).unwrap(), message);
        assert_eq!(decoder.stream_xid(), None);
    }
}

#[test]
fn inside_a_streamed_block_changes_begin_with_their_transaction() {
    let mut decoder = Decoder::new();
    let start = decoder.decode(bytes(&[b"S", XID, b"\x01"])).unwrap();
    assert_eq!(start, Message::StreamStart { xid: 513, is_first_segment: true });
    for (plain, message) in messages().into_iter().filter(|(plain, _)| b"RYIUDTM".contains(&plain[0])) {
        let streamed = bytes(&[&plain[..1], &[0, 0, 0, 9], &plain[1..]]);
        assert_eq!(decoder.peek_streamed(&streamed), Some(9));
        assert_eq!(Decoder::inside_block(513).decode(streamed.clone()).unwrap(), message);
        assert_eq!(decoder.decode(streamed).unwrap(), message);
        assert_eq!(decoder.stream_xid(), Some(9));
    }
    for (plain, message) in messages().into_iter().filter(|(plain, _)| !b"RYIUDTM".contains(&plain[0])) {
        // An origin has no transaction of its own; the rest belongs between blocks.
        assert_eq!(decoder.peek_streamed(&plain), (plain[0] == b'O').then_some(513), "{message:?}");
    }
    assert_eq!(decoder.decode(bytes(&[b"E"])).unwrap(), Message::StreamStop);
    let (plain, message) = changes().remove(0);
    assert_eq!(decoder.peek_streamed(&plain), None);
    assert_eq!(decoder.decode(plain).unwrap(), message);
    assert_eq!(decoder.stream_xid(), None);
}

#[test]
fn a_message_cut_short_or_too_long_is_an_error() {
    for (whole, message) in messages() {
        for length in 0..whole.len() {
            // Without its last fields this one is what a stream that is not parallel sends.
            let is_other_form = matches!(message, Message::StreamAbort(_)) && length == 9;
            let cut = Decoder::new().decode(whole.slice(..length));
            assert!(cut.is_err() || is_other_form, "{length} bytes of {message:?} were read as {cut:?}");
        }
        let longer = bytes(&[&whole, b"\0"]);
        assert!(Decoder::new().decode(longer).is_err(), "{message:?}");
    }
}

#[test]
fn lengths_that_promise_more_than_there_is_allocate_nothing() {
    for lie in [&b"T\xff\xff\xff\xff\0"[..], b"I\0\0\0\x01N\0\x01t\xff\xff\xff\xff", b"I\0\0\0\x01N\xff\xff"] {
        let error = Decoder::new().decode(Bytes::from_static(lie)).unwrap_err();
        assert!(matches!(error, CodecError::Truncated { .. }), "{error}");
    }
}

#[test]
fn replication_payloads_are_those_of_the_manual() {
    let [data, keepalive] = replication().map(|body| FromServer::decode(body).unwrap());
    let payload = Bytes::from_static(b"payload");
    assert_eq!(data, FromServer::XLogData { wal_start: AT_1, wal_end: AT_2, clock_micros: MICROS, payload });
    assert_eq!(keepalive, FromServer::Keepalive { wal_end: AT_1, clock_micros: MICROS, reply_requested: true });

    let mut out = BytesMut::new();
    StandbyStatusUpdate { written: AT_2, flushed: AT_1, applied: AT_1, clock_micros: MICROS, reply_requested: false }
        .encode(&mut out);
    assert_eq!(out, bytes(&[b"d\0\0\0\x26r", LSN_2, LSN_1, LSN_1, TIME, b"\0"]));
}
