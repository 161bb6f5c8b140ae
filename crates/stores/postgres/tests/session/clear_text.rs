//! A password in clear text travels under TLS only, whichever driver connects.

use atalaya_postgres::wire::{WireConnection, WireError, WireOptions};
use atalaya_postgres::{Error, Retry, Session};
use atalaya_sandbox::{Server, ServerOptions, eventually};

use crate::wire::support::parse;
use crate::wire::tls::certificates;

/// A server whose `pg_hba.conf` asks for the password in clear text.
fn start(options: ServerOptions) -> Server {
    let server = Server::start(options).unwrap();
    let file = server.run_sql("postgres", "SHOW hba_file").unwrap();
    let access = std::fs::read_to_string(file.trim()).unwrap();
    let asking = access.replace("scram-sha-256", "password");
    assert_ne!(access, asking, "the server asked for no password before");
    std::fs::write(file.trim(), asking).unwrap();
    server.run_sql("postgres", "SELECT pg_reload_conf()").unwrap();
    let asks = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'password' AND error IS NULL";
    assert_ne!(server.run_sql("postgres", asks).unwrap().trim(), "0");
    // Both kinds of connection meet the new rules only once the server's main process has read them.
    let path = "SELECT pg_conf_load_time() > pg_postmaster_start_time()";
    eventually("the rules are read", || server.run_sql("postgres", path).unwrap().trim() == "t");
    server
}

/// How each driver fares with a mode.
async fn both(server: &Server, mode: &str) -> [Result<(), Error>; 2] {
    let url = parse(&server.url("postgres").replace("sslmode=disable", &format!("sslmode={mode}")));
    let session = Session::connect(&url, "session test").await.map(drop);
    let wire = WireConnection::connect(&url, &WireOptions::default()).await.map(drop);
    [session, wire.map_err(Error::from)]
}

#[tokio::test]
async fn it_is_refused_over_plain_tcp() {
    let server = start(ServerOptions::new(18));
    for mode in ["disable", "prefer"] {
        for connected in both(&server, mode).await {
            let error = connected.unwrap_err();
            assert!(matches!(error, Error::Wire(WireError::CleartextPassword { .. })), "{mode}: {error:?}");
            assert_eq!(error.retry(), Retry::Never);
            assert!(error.hint().unwrap().contains("scram-sha-256"));
        }
    }
}

#[tokio::test]
async fn it_is_sent_under_tls() {
    let (_, files) = certificates();
    let server = start(ServerOptions::new(18).tls(files));
    for mode in ["prefer", "require"] {
        for connected in both(&server, mode).await {
            connected.unwrap();
        }
    }
}
