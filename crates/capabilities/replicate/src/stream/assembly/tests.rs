//! The assembly against a model of transactions with savepoints, in memory and on disk.

use std::os::unix::fs::PermissionsExt;

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Message, Value};
use bytes::Bytes;
use proptest::prelude::*;

use super::{Assembly, SpillOptions, Taken};
use crate::{Error, Failpoints};

const TABLE: u32 = 7;
const PLENTY: u64 = 1 << 30;

struct Bench {
    assembly: Assembly,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(memory_bytes: usize, limit_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SpillOptions {
            folder: folder.path().join("work"),
            memory_bytes,
            limit_bytes,
            failpoints: Failpoints::none(),
        };
        Self { assembly: Assembly::new(options), folder }
    }

    /// Feeds one message; answers with what leaves because of it.
    async fn feed(&mut self, payload: Vec<u8>) -> Result<Vec<Message>, Error> {
        Ok(match self.assembly.take(Bytes::from(payload)).await? {
            Taken::Kept => Vec::new(),
            Taken::Message(message) => vec![message],
            Taken::Committed(mut play) => {
                let mut all = Vec::new();
                while let Some((message, _)) = play.next().await? {
                    all.push(message);
                }
                all
            }
        })
    }

    /// Feeds messages of one block.
    async fn block(&mut self, xid: u32, first: bool, within: Vec<Vec<u8>>) -> Result<(), Error> {
        let begin = [b"S".to_vec(), xid.to_be_bytes().to_vec(), vec![u8::from(first)]].concat();
        for payload in [vec![begin], within, vec![b"E".to_vec()]].concat() {
            assert_eq!(self.feed(payload).await?, []);
        }
        Ok(())
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("work")).map_or(0, Iterator::count)
    }
}

fn insert(xid: Option<u32>, value: &[u8]) -> Vec<u8> {
    let xid = xid.map(|xid| xid.to_be_bytes().to_vec()).unwrap_or_default();
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    [b"I", xid.as_slice(), &TABLE.to_be_bytes(), b"N\0\x01t", &length, value].concat()
}

/// A description with one column of the given name.
fn relation(xid: Option<u32>, column: &str) -> Vec<u8> {
    let xid = xid.map(|xid| xid.to_be_bytes().to_vec()).unwrap_or_default();
    [
        b"R",
        xid.as_slice(),
        &TABLE.to_be_bytes(),
        b"public\0t\0d\0\x01\x01",
        column.as_bytes(),
        b"\0\0\0\0\x19\xff\xff\xff\xff",
    ]
    .concat()
}

fn commit(xid: u32, at: u64) -> Vec<u8> {
    [&b"c"[..], &xid.to_be_bytes(), b"\0", &at.to_be_bytes(), &(at + 8).to_be_bytes(), &5_u64.to_be_bytes()].concat()
}

fn abort(xid: u32, subtransaction: u32) -> Vec<u8> {
    [&b"A"[..], &xid.to_be_bytes(), &subtransaction.to_be_bytes()].concat()
}

/// The values and columns of a transaction that left, which must be whole.
fn contents(messages: &[Message], xid: u32, at: u64) -> Vec<String> {
    let [Message::Begin(begin), within @ .., Message::Commit(commit)] = messages else {
        panic!("no transaction: {messages:?}")
    };
    assert_eq!((begin.xid, begin.final_lsn, commit.commit_lsn, commit.end_lsn), (xid, Lsn(at), Lsn(at), Lsn(at + 8)));
    assert_eq!((begin.commit_time_micros, commit.commit_time_micros), (5, 5));
    let text = |message: &Message| match message {
        Message::Insert { new, .. } => match new.values.as_slice() {
            [Value::Text(value)] => String::from_utf8(value.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        },
        Message::Relation(relation) => format!("described by {}", relation.columns[0].name),
        other => panic!("{other:?}"),
    };
    within.iter().map(text).collect()
}

/// What a session may do; the numbers choose one of those that can do it.
#[derive(Clone, Debug)]
enum Deed {
    Change(usize, usize),
    Savepoint(usize),
    Release(usize),
    RollBackTo(usize, usize),
    Commit(usize),
    RollBack(usize),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let any = 0_usize..3;
    let deed = prop_oneof![
        6 => (any.clone(), 1_usize..40).prop_map(|(who, length)| Deed::Change(who, length)),
        4 => any.clone().prop_map(Deed::Savepoint),
        2 => any.clone().prop_map(Deed::Release),
        3 => (any.clone(), 0_usize..4).prop_map(|(who, depth)| Deed::RollBackTo(who, depth)),
        1 => any.clone().prop_map(Deed::Commit),
        1 => any.prop_map(Deed::RollBack),
    ];
    prop::collection::vec(deed, 1..120)
}

/// One open (sub)transaction of the model.
#[derive(Clone, Debug, Default)]
struct Level {
    xid: u32,
    /// Released subtransactions within.
    released: Vec<u32>,
    values: Vec<String>,
}

/// A session's transaction: the top one first.
#[derive(Clone, Debug, Default)]
struct Session {
    levels: Vec<Level>,
    streamed: bool,
}

async fn run(memory_bytes: usize, deeds: Vec<Deed>) {
    let mut bench = Bench::new(memory_bytes, PLENTY);
    let mut sessions = vec![Session::default(); 3];
    let mut next = 100_u32;
    let mut fresh = || {
        next += 1;
        next
    };
    let mut number = 0_u64;
    for deed in deeds {
        number += 1;
        let (Deed::Change(who, _)
        | Deed::Savepoint(who)
        | Deed::Release(who)
        | Deed::RollBackTo(who, _)
        | Deed::Commit(who)
        | Deed::RollBack(who)) = deed;
        let session = &mut sessions[who];
        if session.levels.is_empty() {
            session.levels.push(Level { xid: fresh(), ..Level::default() });
        }
        let top = session.levels[0].xid;
        match deed {
            Deed::Change(_, length) => {
                let level = session.levels.last_mut().unwrap();
                let value = format!("{number} {}", "x".repeat(length));
                level.values.push(value.clone());
                let first = !std::mem::replace(&mut session.streamed, true);
                bench.block(top, first, vec![insert(Some(level.xid), value.as_bytes())]).await.unwrap();
            }
            Deed::Savepoint(_) => session.levels.push(Level { xid: fresh(), ..Level::default() }),
            Deed::Release(_) if session.levels.len() > 1 => {
                let level = session.levels.pop().unwrap();
                let outer = session.levels.last_mut().unwrap();
                outer.released.extend(level.released.into_iter().chain([level.xid]));
                outer.values.extend(level.values);
            }
            Deed::RollBackTo(_, depth) if session.levels.len() > depth + 1 => {
                let gone = session.levels.split_off(depth + 1);
                let outer = gone[0].xid;
                let mut all: Vec<u32> =
                    gone.iter().flat_map(|level| level.released.iter().copied().chain([level.xid])).collect();
                all.sort_unstable();
                all.retain(|xid| *xid != outer);
                for xid in all.into_iter().chain([outer]).filter(|_| session.streamed) {
                    assert_eq!(bench.feed(abort(top, xid)).await.unwrap(), []);
                }
            }
            Deed::Commit(_) if session.streamed => {
                let all = std::mem::take(session);
                let expected: Vec<String> = all.levels.into_iter().flat_map(|level| level.values).collect();
                let left = bench.feed(commit(top, number)).await.unwrap();
                assert_eq!(contents(&left, top, number), expected);
            }
            Deed::RollBack(_) => {
                let all = std::mem::take(session);
                if all.streamed {
                    assert_eq!(bench.feed(abort(top, top)).await.unwrap(), []);
                }
            }
            Deed::Release(_) | Deed::RollBackTo(..) | Deed::Commit(_) => {}
        }
        assert_eq!(bench.files(), 0, "a file has a name");
    }
    let kept: usize = bench.assembly.transactions().map(super::kept::Kept::tail_bytes).sum();
    assert_eq!(kept, bench.assembly.memory_bytes());
    assert!(kept <= memory_bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn what_leaves_is_what_was_not_rolled_back_in_its_order(
        memory_bytes in prop_oneof![Just(0_usize), 1_usize..400, Just(1 << 20)],
        deeds in deeds(),
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run(memory_bytes, deeds));
    }
}

#[tokio::test]
async fn messages_larger_than_a_piece_and_across_two_come_back_whole() {
    let mut bench = Bench::new(100_000, PLENTY);
    let values: Vec<String> = (0..40).map(|number| char::from(b'a' + number % 26).to_string().repeat(90_001)).collect();
    let huge = "h".repeat(5 << 20);
    let expected: Vec<String> = values.iter().cloned().chain([huge]).chain(["end".to_owned()]).collect();
    let within = expected.iter().map(|value| insert(Some(9), value.as_bytes())).collect();
    bench.block(9, true, within).await.unwrap();
    assert_eq!(contents(&bench.feed(commit(9, 50)).await.unwrap(), 9, 50), expected);
}

#[tokio::test]
async fn a_description_of_a_transaction_in_progress_never_replaces_a_later_one() {
    let mut bench = Bench::new(0, PLENTY);
    assert_eq!(bench.feed(relation(None, "old")).await.unwrap().len(), 1);
    for xid in [20, 21, 22] {
        bench.block(xid, true, vec![relation(Some(xid), "mine"), insert(Some(xid), b"v")]).await.unwrap();
    }
    // Nothing later was said: the source takes it for known.
    assert_eq!(contents(&bench.feed(commit(20, 50)).await.unwrap(), 20, 50), ["described by mine", "v"]);
    assert_eq!(bench.feed(relation(None, "new")).await.unwrap().len(), 1);
    let again = ["described by mine", "v", "described by new"];
    assert_eq!(contents(&bench.feed(commit(21, 60)).await.unwrap(), 21, 60), again);
    // One that is rolled back says nothing; one whose subtransaction was says what is left.
    bench.block(22, false, vec![relation(Some(23), "later"), insert(Some(23), b"w")]).await.unwrap();
    bench.feed(abort(22, 23)).await.unwrap();
    assert_eq!(contents(&bench.feed(commit(22, 70)).await.unwrap(), 22, 70), again);
    bench.block(24, true, vec![relation(Some(24), "latest")]).await.unwrap();
    assert_eq!(contents(&bench.feed(commit(24, 80)).await.unwrap(), 24, 80), ["described by latest"]);
}

#[tokio::test]
async fn more_than_the_limit_is_refused_and_what_was_rolled_back_does_not_count() {
    let mut bench = Bench::new(0, 1000);
    for round in 0..5 {
        let within = (0..4).map(|_| insert(Some(31), &[b'v'; 200])).collect();
        bench.block(30, round == 0, within).await.unwrap();
        bench.feed(abort(30, 31)).await.unwrap();
    }
    let within = (0..5).map(|_| insert(Some(30), &[b'v'; 200])).collect();
    let error = bench.block(30, false, within).await.unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("take more than 1.0 kB"), "{error}");
    assert!(error.hint().unwrap().contains("--spill-limit"), "{error}");
}

#[tokio::test]
async fn what_the_protocol_does_not_allow_is_an_error() {
    let begin = |xid: u8, first: u8| vec![b'S', 0, 0, 0, xid, first];
    for wrong in [
        vec![begin(1, 0)],
        vec![begin(1, 1), b"E".to_vec(), begin(1, 1)],
        vec![commit(1, 9)],
        vec![begin(1, 1), b"E".to_vec(), abort(1, 1), commit(1, 9)],
    ] {
        let mut bench = Bench::new(0, PLENTY);
        let mut last = Ok(Vec::new());
        for payload in wrong {
            last = bench.feed(payload).await;
        }
        assert!(matches!(last, Err(Error::Broken(_))), "{last:?}");
    }
    // An abort of what sent nothing is nothing.
    let mut bench = Bench::new(0, PLENTY);
    assert_eq!(bench.feed(abort(1, 1)).await.unwrap(), []);
    assert_eq!(bench.feed(abort(1, 2)).await.unwrap(), []);
}

#[tokio::test]
async fn the_folder_is_nobody_elses() {
    let mut bench = Bench::new(0, PLENTY);
    bench.block(1, true, vec![insert(Some(1), b"v")]).await.unwrap();
    let folder = std::fs::metadata(bench.folder.path().join("work")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}
