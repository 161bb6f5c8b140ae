//! Others that hold the head, or a snapshot, for long.

use std::time::{Duration, Instant};

use atalaya_eventstore::{Error, Expected, Options, Position, Subscribe};
use atalaya_postgres::Session;
use atalaya_sandbox::Proxy;

use crate::ground::Ground;
use crate::making::{all, numbered, one};

on_every_backend! {
    a_head_that_is_held_too_long_is_said_and_appending_goes_on_afterwards
    appends_beyond_the_queue_wait_and_are_then_refused
    a_transaction_that_stays_open_holds_up_neither_writers_nor_readers
}

/// A session of somebody else, with a transaction open.
enum Other {
    Sqlite(rusqlite::Connection),
    Postgres(Session),
}

impl Other {
    async fn open(ground: &Ground, sqlite: &str, postgres: &str) -> Self {
        match ground {
            Ground::Sqlite(_) => {
                let connection = rusqlite::Connection::open(ground.file()).unwrap();
                connection.execute_batch(sqlite).unwrap();
                Self::Sqlite(connection)
            }
            Ground::Postgres { .. } => {
                let session = Session::connect(&ground.url(), "somebody else").await.unwrap();
                session.batch(postgres).await.unwrap();
                Self::Postgres(session)
            }
        }
    }

    async fn holding_the_head(ground: &Ground) -> Self {
        Self::open(ground, "BEGIN IMMEDIATE", "BEGIN; SELECT 1 FROM atalaya_journal.writer FOR UPDATE").await
    }

    async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).unwrap(),
            Self::Postgres(session) => session.batch(sql).await.unwrap(),
        }
    }
}

async fn a_head_that_is_held_too_long_is_said_and_appending_goes_on_afterwards(ground: &Ground) {
    let options = Options { lock_limit: Duration::from_millis(200), ..Options::default() };
    let store = ground.open_with(options).await.unwrap();
    let holder = Other::holding_the_head(ground).await;
    let held = store.append(one("a-1", Expected::Any)).await;
    assert!(matches!(held, Err(Error::Held { .. })), "{held:?}");
    assert_eq!(store.head().await.unwrap(), Position::START, "readers do not wait");
    holder.run("ROLLBACK").await;
    store.append(one("a-1", Expected::None)).await.unwrap();
    assert_eq!(all(&store).await.len(), 1);
}

async fn appends_beyond_the_queue_wait_and_are_then_refused(ground: &Ground) {
    // What a group takes makes room in the queue: without a bound one of them may take all.
    let options = Options { queue: 2, queue_limit: Duration::from_millis(100), group_events: 2, ..Options::default() };
    let store = ground.open_with(options).await.unwrap();
    let holder = Other::holding_the_head(ground).await;
    let mut appends = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        appends.spawn(async move { store.append(one("a-1", Expected::Any)).await });
    }
    // Two are with the writer, a third did not fit beside them, and two are in the queue; of the others the first is refused
    // while the head is still held.
    let refused = appends.join_next().await.unwrap().unwrap();
    assert!(matches!(refused, Err(Error::Overloaded { waiting: 2 })), "{refused:?}");
    holder.run("ROLLBACK").await;
    let (made, others): (Vec<_>, Vec<_>) = appends.join_all().await.into_iter().partition(Result::is_ok);
    assert!(others.iter().all(|other| matches!(other, Err(Error::Overloaded { waiting: 2 }))), "{others:?}");
    // Two, where the writer has not come to it before others had waited for long enough.
    assert!((2..=5).contains(&made.len()), "{} made: {others:?}", made.len());
    assert_eq!(all(&store).await.len(), made.len());
}

async fn a_transaction_that_stays_open_holds_up_neither_writers_nor_readers(ground: &Ground) {
    beside_an_open_transaction(ground, Duration::ZERO).await;
}

#[ignore = "takes three minutes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_stays_open_for_minutes_holds_up_nobody_on_sqlite() {
    beside_an_open_transaction(&Ground::sqlite(), MINUTES).await;
}

#[ignore = "takes three minutes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_stays_open_for_minutes_holds_up_nobody_on_postgres() {
    beside_an_open_transaction(&Ground::postgres(18), MINUTES).await;
}

const MINUTES: Duration = Duration::from_secs(180);

/// It had a snapshot, and a number of its own, before all that follows: for so many rounds, and so long, as are asked for.
async fn beside_an_open_transaction(ground: &Ground, at_least: Duration) {
    const ROUNDS: u32 = 50;
    let began = Instant::now();
    let store = ground.open().await;
    store.append(one("a-1", Expected::None)).await.unwrap();
    let sqlite = "BEGIN; SELECT count(*) FROM events";
    let postgres = "BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE public.mine (id int);
                    SELECT count(*) FROM atalaya_journal.events; SELECT pg_current_xact_id()";
    let open = Other::open(ground, sqlite, postgres).await;
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    let mut rounds = 0;
    while rounds < ROUNDS || began.elapsed() < at_least {
        let round = rounds;
        rounds += 1;
        store.append(numbered("a-2", round * 4..round * 4 + 4)).await.unwrap();
        let mut expected = subscription.position();
        while expected.number() < u64::from(round) * 4 + 5 {
            let batch = subscription.next().await.unwrap();
            assert!(
                batch
                    .events
                    .iter()
                    .map(|event| event.position)
                    .eq(std::iter::successors(Some(expected.next()), |position| (position.next() <= batch.through)
                        .then(|| position.next())))
            );
            expected = batch.through;
        }
    }
    assert_eq!(all(&store).await.len(), rounds as usize * 4 + 1);
    // What it began before is still as it was, and it may end as it likes.
    open.run("COMMIT").await;
    store.append(one("a-1", Expected::Exact(1))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_frozen_with_the_head_in_its_hands_loses_it() {
    let ground = Ground::postgres(18);
    let store = ground.open().await;
    let Ground::Postgres { server, database } = &ground else { panic!("it is Postgres") };
    let proxy = Proxy::start(server.port()).unwrap();
    let url = atalaya_estate::ConnectionUrl::parse(&proxy.url(&server.url(database))).unwrap();
    let options = Options { lock_limit: Duration::from_secs(4), ..Options::default() };
    let frozen = atalaya_eventstore::Store::open_postgres(&url, options).await.unwrap();
    frozen.append(one("a-1", Expected::Any)).await.unwrap();
    // It waits for the head; then nothing reaches it any more, and it gets the head.
    let holder = Other::holding_the_head(&ground).await;
    let appending = tokio::spawn(async move { frozen.append(one("a-1", Expected::Any)).await });
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while ground.ask(waiting) != "1" {
        tokio::task::yield_now().await;
    }
    proxy.freeze();
    holder.run("ROLLBACK").await;
    store.append(one("a-2", Expected::None)).await.unwrap();
    appending.abort();
    assert_eq!(all(&store).await.len(), 2);
}
