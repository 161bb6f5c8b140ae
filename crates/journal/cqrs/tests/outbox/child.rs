//! A process of its own that relays, and holds after a message is published and before its row is deleted.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use atalaya_cqrs::outbox::{Broker, Message, Outbox, PublishError, Relay};
use atalaya_nats::{JetStream, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::orders::quick;
use crate::ground::{Ground, open_tables};

const PLACE: &str = "OUTBOX_TEST_PLACE";
const BROKER: &str = "OUTBOX_TEST_BROKER";
const FLAGS: &str = "OUTBOX_TEST_FLAGS";

/// Publishes, and holds after so many messages.
struct Holding {
    stream: JetStream,
    flags: PathBuf,
    left: std::sync::atomic::AtomicU32,
    stop: watch::Sender<bool>,
}

impl Broker for Holding {
    async fn publish(&self, message: &Message) -> Result<(), PublishError> {
        Broker::publish(&self.stream, message).await?;
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            std::fs::write(self.flags.join("holding"), "").unwrap();
            // Holds up the whole relay, so that no limit of it comes first.
            while !self.flags.join("go on").exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            self.stop.send(true).unwrap();
        }
        Ok(())
    }
}

/// Not a test by itself: what the child runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_for_a_test_that_asked_for_it() {
    let (Ok(place), Ok(broker), Ok(flags)) = (std::env::var(PLACE), std::env::var(BROKER), std::env::var(FLAGS)) else {
        return;
    };
    let words: Vec<&str> = broker.split(' ').collect();
    let stream = JetStream::new(Options::new(words[0], words[1], words[2]));
    let outbox = Outbox::open(open_tables(&place).await).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let broker = Holding { stream, flags: flags.into(), left: 5.into(), stop };
    Relay::new(outbox, broker, quick()).run(stopped).await.unwrap();
}

/// A process that relays, and holds after its fifth message.
pub(super) struct Relaying {
    child: Child,
    flags: PathBuf,
}

impl Relaying {
    /// Starts it and waits until it holds.
    pub(super) fn start(ground: &Ground, stream: &Options) -> Self {
        let flags = ground.folder().join("flags");
        std::fs::create_dir_all(&flags).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "outbox::child::relays_for_a_test_that_asked_for_it", "--nocapture"])
            .env(PLACE, ground.tables_place())
            .env(BROKER, format!("{} {} {}", stream.url, stream.stream, stream.prefix))
            .env(FLAGS, &flags)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut relaying = Self { child, flags };
        while !Path::new(&relaying.flags.join("holding")).exists() {
            assert_eq!(relaying.child.try_wait().unwrap(), None, "it ended before it held");
            std::thread::sleep(Duration::from_millis(5));
        }
        relaying
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn freeze(&self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGSTOP).unwrap();
    }

    /// Lets it go on, and waits until it has ended.
    pub(super) fn thaw(mut self) {
        std::fs::write(self.flags.join("go on"), "").unwrap();
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGCONT).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}
