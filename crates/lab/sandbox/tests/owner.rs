//! What becomes of a server when its owner is killed or goes away on purpose.
//!
//! The owner is this test binary, run again for the one ignored test below.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use atalaya_sandbox::{DetachedServer, NatsServer, Server, ServerOptions, eventually};

use crate::answers;

const ROLE: &str = "ATALAYA_SANDBOX_TEST_OWNER";
/// It lives until it is killed, or this long should the killer fail.
const LIFE: std::time::Duration = std::time::Duration::from_secs(60);

/// Not a test: the owner's part, played in a process of its own.
#[test]
#[ignore = "the other tests of this file run it in a process of its own"]
fn owner() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if role == "nats" {
        let server = NatsServer::start().unwrap();
        println!("\nport {}\nfolder {}", server.port(), server.folder().display());
        std::thread::sleep(LIFE);
        return;
    }
    let server = Server::start(ServerOptions::new(18)).unwrap();
    println!("\nport {}\nfolder {}", server.port(), server.folder().display());
    if role == "detach" {
        println!("socket {}", server.record().socket.display());
        server.detach();
        return;
    }
    std::thread::sleep(LIFE);
}

fn start_owner(role: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["owner::owner", "--exact", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn read_word(output: &mut impl BufRead, key: &str) -> String {
    let prefix = format!("{key} ");
    output.lines().map(Result::unwrap).find_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).unwrap()
}

#[test]
fn an_owner_killed_by_sigkill_leaves_no_server_and_no_folder() {
    leaves_nothing("wait");
}

#[test]
fn an_owner_of_a_broker_killed_by_sigkill_leaves_no_server_and_no_folder() {
    leaves_nothing("nats");
}

fn leaves_nothing(role: &str) {
    let (mut owner, mut output) = start_owner(role);
    let port: u16 = read_word(&mut output, "port").parse().unwrap();
    let folder = PathBuf::from(read_word(&mut output, "folder"));
    assert!(answers(port));
    assert!(folder.exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("the port is closed", || !answers(port));
    eventually("the folder is removed", || !folder.exists());
}

#[test]
fn a_detached_server_outlives_its_owner_until_it_is_removed() {
    let (mut owner, mut output) = start_owner("detach");
    let port = read_word(&mut output, "port").parse().unwrap();
    let folder = PathBuf::from(read_word(&mut output, "folder"));
    let socket = PathBuf::from(read_word(&mut output, "socket"));
    assert!(owner.wait().unwrap().success());
    let server = DetachedServer { version: 18, port, folder: folder.clone(), socket };
    assert!(server.is_running());
    assert!(answers(port));
    server.remove().unwrap();
    assert!(!answers(port));
    assert!(!folder.exists());
    server.remove().unwrap();
}
