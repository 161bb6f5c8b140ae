//! Start, stop, kill, start again, and what is left afterwards.

use atalaya_sandbox::{Error, Server, ServerOptions, StopMode, available, client_tools};

use crate::answers;

fn starts_answers_and_stops(major: u16) {
    let mut server = Server::start(ServerOptions::new(major)).unwrap();
    assert_eq!(server.version(), major);
    let version = server.run_sql("postgres", "SELECT version()").unwrap();
    assert!(version.starts_with(&format!("PostgreSQL {major}.")), "{version}");
    assert_eq!(
        server.run_sql("postgres", "SHOW wal_level; SHOW password_encryption").unwrap(),
        "logical\nscram-sha-256"
    );
    server.run_sql("postgres", r#"CREATE EXTENSION "uuid-ossp"; CREATE EXTENSION pgcrypto"#).unwrap();
    server.stop(StopMode::Fast).unwrap();
    assert!(!answers(server.port()));
    let folder = server.folder().to_owned();
    assert!(folder.exists(), "a stop keeps the data");
    drop(server);
    assert!(!folder.exists(), "a drop removes the data");
}

#[test]
fn postgres_13_starts_answers_and_stops() {
    starts_answers_and_stops(13);
}

#[test]
fn postgres_14_starts_answers_and_stops() {
    starts_answers_and_stops(14);
}

#[test]
fn postgres_15_starts_answers_and_stops() {
    starts_answers_and_stops(15);
}

#[test]
fn postgres_16_starts_answers_and_stops() {
    starts_answers_and_stops(16);
}

#[test]
fn postgres_17_starts_answers_and_stops() {
    starts_answers_and_stops(17);
}

#[test]
fn postgres_18_starts_answers_and_stops() {
    starts_answers_and_stops(18);
}

#[test]
fn every_pinned_server_is_available_and_all_but_13_have_client_tools() {
    let majors: Vec<_> = available().into_iter().map(|server| server.major).collect();
    assert_eq!(majors, [13, 14, 15, 16, 17, 18]);
    for major in 14..=18 {
        let folder = client_tools(major).unwrap();
        for tool in ["pg_dump", "pg_restore", "psql", "pgbench", "pg_recvlogical"] {
            assert!(folder.join(tool).exists(), "{tool} of {major}");
        }
    }
    assert!(matches!(client_tools(13), Err(Error::NoClientTools { major: 13 })));
}

#[test]
fn a_killed_server_recovers_what_was_committed() {
    for major in [13, 18] {
        let mut server = Server::start(ServerOptions::new(major).durable()).unwrap();
        server.run_sql("postgres", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id").unwrap();
        server.kill().unwrap();
        assert!(!answers(server.port()));
        server.start_again().unwrap();
        assert_eq!(server.run_sql("postgres", "SELECT count(*) FROM kept").unwrap(), "1000");
        assert!(server.log_tail(200).contains("was not properly shut down"), "{}", server.log_tail(200));
    }
}

#[test]
fn a_stopped_server_starts_again_with_changed_configuration() {
    let mut server = Server::start(ServerOptions::new(16).setting("max_connections", "30")).unwrap();
    let port = server.port();
    assert_eq!(server.run_sql("postgres", "SHOW max_connections").unwrap(), "30");
    for mode in [StopMode::Smart, StopMode::Fast, StopMode::Immediate] {
        server.stop(mode).unwrap();
        server.stop(mode).unwrap();
        server.configure("max_connections", "40").unwrap();
        server.start_again().unwrap();
        server.start_again().unwrap();
        assert_eq!(server.port(), port);
        assert_eq!(server.run_sql("postgres", "SHOW max_connections").unwrap(), "40");
    }
}

#[test]
fn two_servers_at_once_have_different_ports_and_folders() {
    let servers: Vec<_> = std::thread::scope(|scope| {
        let start = || scope.spawn(|| Server::start(ServerOptions::new(17)).unwrap());
        let threads = [start(), start()];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let [first, second] = servers.as_slice() else { panic!("two servers") };
    assert_ne!(first.port(), second.port());
    assert_ne!(first.folder(), second.folder());
    assert_ne!(first.superuser().password(), second.superuser().password());
}

#[test]
fn a_setting_that_postgres_refuses_is_told_with_its_log() {
    let error = Server::start(ServerOptions::new(18).setting("wal_level", "nonsense")).unwrap_err();
    assert!(matches!(&error, Error::NotStarted { major: 18, log } if log.contains("nonsense")), "{error}");
}

#[test]
fn a_parent_folder_with_a_long_name_holds_a_server() {
    let parent = tempfile::tempdir().unwrap();
    std::fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let deep = parent.path().join("a".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    let server = Server::start(ServerOptions::new(18).parent_folder(&deep)).unwrap();
    assert!(server.folder().starts_with(&deep));
    assert_eq!(server.run_sql("postgres", "SELECT 1").unwrap(), "1");
    drop(server);
    assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 0);
}

#[test]
fn a_panic_leaves_no_server() {
    let place = std::sync::Mutex::new(None);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let server = Server::start(ServerOptions::new(18)).unwrap();
        *place.lock().unwrap() = Some((server.port(), server.folder().to_owned()));
        panic!("a test that fails while its server runs");
    }));
    assert!(result.is_err());
    let (port, folder) = place.lock().unwrap().take().unwrap();
    assert!(!answers(port));
    assert!(!folder.exists());
}
