//! A broker's life: start, kill, stop, start again, and what is left afterwards.

use atalaya_sandbox::NatsServer;

use crate::answers;

#[test]
fn a_broker_starts_again_on_its_port_after_a_kill_and_after_a_stop() {
    let mut server = NatsServer::start().unwrap();
    let port = server.port();
    assert!(answers(port));
    assert_eq!(server.url(), format!("nats://127.0.0.1:{port}/"));
    server.kill().unwrap();
    assert!(!answers(port));
    server.start_again().unwrap();
    assert!(answers(port));
    server.stop().unwrap();
    server.stop().unwrap();
    assert!(!answers(port));
    server.start_again().unwrap();
    server.start_again().unwrap();
    assert_eq!(server.port(), port);
    assert!(answers(port));
    assert!(server.log_tail(200).contains("Starting JetStream"), "{}", server.log_tail(200));
    let folder = server.folder().to_owned();
    drop(server);
    assert!(!folder.exists(), "a drop removes the data");
    assert!(!answers(port));
}
