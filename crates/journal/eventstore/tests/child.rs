//! Other processes that use the same journal: this program again, told by a variable what to do.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use atalaya_eventstore::{Append, AppendId, Expected, Options, Position, Read, Store, StreamAppend};

use crate::ground::{Ground, open_as_told};
use crate::making::{event, one, stream};

const ROLE: &str = "ATALAYA_TEST_ROLE";
const MARK: &str = "journal: ";
/// Appends that one process has under way at once.
const AT_ONCE: usize = 8;

/// A running process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts one: `append WRITER COUNT`, `read COUNT` or `make FOLDER COUNT`.
    pub(crate) fn start(ground: &Ground, role: &str) -> Self {
        let (name, value) = ground.environment();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child::does_as_it_was_told", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(name, value)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing it says; none at its end.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        self.lines.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix(MARK).map(str::to_owned))
    }

    /// Waits for its end, which must be a good one; what it had still to say.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let lines = std::iter::from_fn(|| self.next_line()).collect();
        assert!(self.child.wait().unwrap().success());
        lines
    }

    /// Ends it by SIGKILL; what it had said by then.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        std::iter::from_fn(|| self.next_line()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn say(text: &str) {
    // One write a line: lines of several tasks must not mix.
    std::io::stdout().write_all(format!("{MARK}{text}\n").as_bytes()).unwrap();
}

/// What the other processes run; without a role it is an empty test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_as_it_was_told() {
    let Ok(role) = std::env::var(ROLE) else { return };
    println!();
    match role.split(' ').collect::<Vec<_>>().as_slice() {
        ["append", writer, count] => append(writer, count.parse().unwrap()).await,
        ["make", folder, count] => make(folder.as_ref(), count.parse().unwrap()).await,
        ["read", count] => read(count.parse().unwrap()).await,
        _ => panic!("unknown role"),
    }
}

/// Appends of three events over two streams, and says which are answered.
async fn append(writer: &str, count: usize) {
    let store = open_as_told().await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..AT_ONCE {
        let (store, writer) = (store.clone(), writer.to_owned());
        tasks.spawn(async move {
            for _ in (task..count).step_by(AT_ONCE) {
                let of = |name: String, events| StreamAppend { stream: stream(&name), expected: Expected::Any, events };
                let streams = vec![
                    of(format!("{writer}-{task}"), vec![event("1"), event("2")]),
                    of("all-1".into(), vec![event("3")]),
                ];
                let append = Append { id: AppendId::generate(), streams, guards: Vec::new() };
                let id = append.id;
                let made = store.append(append).await.unwrap();
                assert!(!made.repeated);
                say(&format!("{id} {} {}", made.first, made.last));
            }
        });
    }
    tasks.join_all().await;
    store.close().await;
}

/// Reads as fast as it can, and must see every position in its turn.
async fn read(count: u64) {
    let store = open_as_told().await;
    let mut seen = Position::START;
    while seen.number() < count {
        for event in store.read(Read::all_after(seen, 200)).await.unwrap().events {
            assert_eq!(event.position, seen.next(), "a position was passed");
            seen = event.position;
        }
    }
    say(&format!("read {seen}"));
}

/// Opens new journals, writes to each and closes it again, as a command does that comes and goes.
async fn make(folder: &Path, count: u32) {
    for number in 0..count {
        let store = Store::open_sqlite(&folder.join(format!("{number}.db")), Options::default()).await.unwrap();
        store.append(one("a-1", Expected::Any)).await.unwrap();
        store.close().await;
    }
    say("made");
}
