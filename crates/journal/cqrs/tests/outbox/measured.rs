//! A process of its own that relays, and whose memory can be told apart from the test's.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use atalaya_cqrs::outbox::{InHand, Outbox, Relay, RelayOptions, RelayStatus};
use atalaya_nats::{JetStream, Options};
use tokio::sync::watch;

use super::orders::until;
use crate::ground::{Ground, open_tables};

const PLACE: &str = "OUTBOX_MEASURED_PLACE";
const BROKER: &str = "OUTBOX_MEASURED_BROKER";
const STATUS: &str = "OUTBOX_MEASURED_STATUS";
/// How often the process writes down how it stands.
const LOOK: Duration = Duration::from_millis(20);

/// A day's attempts in seconds, and a dead one's lease that a test can wait for the end of.
fn hasty() -> RelayOptions {
    RelayOptions {
        lease: Duration::from_secs(4),
        backoff: Duration::from_millis(1),
        backoff_max: Duration::from_millis(2),
        ..RelayOptions::default()
    }
}

/// Not a test by itself: what the child runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_and_says_how_it_stands_for_a_test_that_asked_for_it() {
    let (Ok(place), Ok(broker), Ok(file)) = (std::env::var(PLACE), std::env::var(BROKER), std::env::var(STATUS)) else {
        return;
    };
    let words: Vec<&str> = broker.split(' ').collect();
    let stream = JetStream::new(Options::new(words[0], words[1], words[2]));
    let outbox = Outbox::open(open_tables(&place).await).await.unwrap();
    let relay = Arc::new(Relay::new(outbox, stream, hasty()));
    let (stop, stopped) = watch::channel(false);
    let asked = Arc::clone(&relay);
    let working = tokio::spawn(async move { relay.run(stopped).await });
    // Its end is the wish of the test, or the test's own.
    let mut until_told = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    loop {
        write_down(&file, asked.status());
        tokio::select! {
            _ = &mut until_told => break,
            () = tokio::time::sleep(LOOK) => assert!(!working.is_finished(), "it has ended by itself"),
        }
    }
    stop.send(true).unwrap();
    working.await.unwrap().unwrap();
    write_down(&file, asked.status());
}

/// Whoever reads it finds this one or the one before.
fn write_down(file: &str, status: RelayStatus) {
    let RelayStatus { failures, in_hand, most_in_hand: most } = status;
    let (now, most) = ((in_hand.messages, in_hand.bytes), (most.messages, most.bytes));
    let next = format!("{file}.next");
    std::fs::write(&next, format!("{failures} {} {} {} {}", now.0, now.1, most.0, most.1)).unwrap();
    std::fs::rename(next, file).unwrap();
}

/// A process that relays.
pub(super) struct Measured {
    child: Child,
    told: Option<ChildStdin>,
    status: PathBuf,
}

/// What a process has of the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footprint {
    /// The most memory that it ever had, in kB.
    pub(super) peak_kb: u64,
    pub(super) files: usize,
    pub(super) threads: u64,
}

impl Measured {
    pub(super) fn start(ground: &Ground, stream: &Options) -> Self {
        let status = ground.folder().join("status");
        // Of an earlier one.
        let _absent = std::fs::remove_file(&status);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "outbox::measured::relays_and_says_how_it_stands_for_a_test_that_asked_for_it"])
            .env(PLACE, ground.tables_place())
            .env(BROKER, format!("{} {} {}", stream.url, stream.stream, stream.prefix))
            .env(STATUS, &status)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let told = child.stdin.take();
        Self { child, told, status }
    }

    /// How it last said that it stands; nothing before it has said so first.
    pub(super) fn status(&self) -> RelayStatus {
        let said = std::fs::read_to_string(&self.status).unwrap_or_default();
        let numbers: Vec<u64> = said.split(' ').filter_map(|number| number.parse().ok()).collect();
        let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
        RelayStatus {
            failures: at(0),
            in_hand: InHand { messages: at(1), bytes: at(2) },
            most_in_hand: InHand { messages: at(3), bytes: at(4) },
        }
    }

    /// Waits until it has asked so often in vain.
    pub(super) async fn failed(&self, times: u64) {
        until(async || self.status().failures >= times).await;
    }

    pub(super) fn footprint(&self) -> Footprint {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let files = std::fs::read_dir(process.join("fd")).unwrap().count();
        Footprint { peak_kb: number("VmHWM:"), files, threads: number("Threads:") }
    }

    /// Ends it where it stands.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it end in good order.
    pub(super) fn stop(mut self) {
        drop(self.told.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Measured {
    /// Where a test has failed.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
