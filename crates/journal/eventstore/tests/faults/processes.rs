//! Several processes at once, and processes that are killed.

use std::collections::HashMap;

use atalaya_eventstore::{Options, Position, Read, Store};

use crate::child::Process;
use crate::ground::Ground;
use crate::making::{all, stream};

on_every_backend! {
    four_processes_append_and_a_tight_reader_of_a_fifth_misses_nothing
    what_was_answered_before_a_kill_is_there_and_nothing_is_there_half
}

async fn four_processes_append_and_a_tight_reader_of_a_fifth_misses_nothing(ground: &Ground) {
    let store = ground.open().await;
    let reader = Process::start(ground, "read 1200");
    let writers: Vec<_> = (0..4).map(|number| Process::start(ground, &format!("append w{number} 100"))).collect();
    for writer in writers {
        assert_eq!(writer.finish().len(), 100);
    }
    assert_eq!(reader.finish(), ["read 1200"]);
    assert_eq!(all(&store).await.len(), 1200);
    assert_eq!(store.version(&stream("all-1")).await.unwrap(), 400);
    assert_eq!(store.version(&stream("w3-0")).await.unwrap(), 26);
}

async fn what_was_answered_before_a_kill_is_there_and_nothing_is_there_half(ground: &Ground) {
    let mut answered = HashMap::new();
    let mut note = |line: &str| {
        if let [append, first, last] = line.split(' ').collect::<Vec<_>>().as_slice() {
            answered.insert((*append).to_owned(), (first.parse::<u64>().unwrap(), last.parse::<u64>().unwrap()));
        }
    };
    for (round, lines) in [1, 13, 40, 77, 9, 120].into_iter().enumerate() {
        let mut process = Process::start(ground, &format!("append w{round} 100000"));
        for _ in 0..lines {
            note(&process.next_line().unwrap());
        }
        process.kill().iter().for_each(|line| note(line));
    }
    let store = ground.open().await;
    let mut appends: HashMap<String, Vec<u64>> = HashMap::new();
    let mut pages = store.pages(Read::all_after(Position::START, 500));
    while let Some(events) = pages.next().await.unwrap() {
        for event in events {
            appends.entry(event.append.to_string()).or_default().push(event.position.number());
        }
    }
    assert!(appends.values().all(|positions| positions.len() == 3), "an append is there half");
    for (append, (first, last)) in answered {
        assert_eq!(appends[&append], (first..=last).collect::<Vec<_>>());
    }
    // Gapless, and the head is the last one's.
    assert_eq!(all(&store).await.len(), appends.len() * 3);
    let broken =
        "SELECT count(*) FROM head JOIN events ON events.position = head.position AND events.chain = head.chain";
    assert_eq!(ground.ask(broken), "1");
}

/// The first to come make the file's tables and its log, the last to go takes the log away, while others come and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_make_open_and_close_the_same_files_at_once_all_get_in() {
    const FILES: u32 = 100;
    let ground = Ground::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let role = format!("make {} {FILES}", folder.path().display());
    let makers: Vec<_> = (0..4).map(|_| Process::start(&ground, &role)).collect();
    for maker in makers {
        assert_eq!(maker.finish(), ["made"]);
    }
    for number in 0..FILES {
        let path = folder.path().join(format!("{number}.db"));
        let store = Store::open_sqlite(&path, Options::default()).await.unwrap();
        assert_eq!(all(&store).await.len(), 4);
        store.close().await;
    }
}
