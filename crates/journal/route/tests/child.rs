//! Another process that decides: this program again, told by variables what to do.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use atalaya_route::{Decision, Routes};

use crate::ground::{Ground, open};

/// Read by the child: whose epoch it decides.
const DATABASE: &str = "ATALAYA_TEST_DATABASE";
const PLACE: &str = "ATALAYA_TEST_PLACE";
const ROLE: &str = "ATALAYA_TEST_ROLE";
const MARK: &str = "route: ";

/// A running process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts one that will `flip` or `close`, and waits until it has the journal open.
    pub(crate) fn start(ground: &Ground, role: &str) -> Self {
        Self::start_for(ground, role, "blue")
    }

    /// The same for an epoch of another database.
    pub(crate) fn start_for(ground: &Ground, role: &str, database: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child::decides_as_it_was_told", "--exact", "--nocapture", "--test-threads=1"])
            .env(PLACE, ground.place())
            .env(ROLE, role)
            .env(DATABASE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        let mut process = Self { child, input, lines };
        assert_eq!(process.next_line(), "ready");
        process
    }

    /// Has it decide the epoch that is open.
    pub(crate) fn go(&mut self) {
        self.input.write_all(b"go\n").unwrap();
    }

    /// What it was told.
    pub(crate) fn next_line(&mut self) -> String {
        let said = self.lines.by_ref().map_while(Result::ok);
        said.filter_map(|line| line.strip_prefix(MARK).map(str::to_owned)).next().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A decision on a line.
pub(crate) fn told(decision: &Decision) -> String {
    match decision {
        Decision::Flipped { to, epoch } => format!("{epoch} flipped to {to}"),
        Decision::Closed { by, epoch, .. } => format!("{epoch} closed by {by}"),
    }
}

fn say(text: &str) {
    std::io::stdout().write_all(format!("{MARK}{text}\n").as_bytes()).unwrap();
}

/// What the other processes run; without a role it is an empty test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decides_as_it_was_told() {
    let (Ok(place), Ok(role)) = (std::env::var(PLACE), std::env::var(ROLE)) else { return };
    let database = std::env::var(DATABASE).unwrap();
    let routes = Routes::new(open(&place).await);
    println!();
    say("ready");
    for line in std::io::stdin().lines() {
        line.unwrap();
        let epoch = routes.standing(&database).await.unwrap();
        // The other one may have been quicker; its epoch is asked for by number then.
        let epoch = match epoch.open {
            Some(open) => open,
            None => routes.epoch(&database, epoch.last_epoch).await.unwrap().unwrap().0,
        };
        let decision = match role.as_str() {
            "flip" => routes.flip(&epoch, "coordinator").await,
            _ => routes.close(&epoch, &role, "its lease is over").await,
        };
        say(&told(&decision.unwrap()));
    }
}
