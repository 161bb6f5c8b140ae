//! A busy source: few connections of ours, and nothing new while others are at work.

use std::thread::JoinHandle;

use crate::managed::act_as_managed_role;
use crate::support::{Move, eventually};
use atalaya_sandbox::Server;

const TABLES: &str = "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000);
                      CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b SELECT generate_series(1, 1000);
                      CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c SELECT generate_series(1, 1000)";
const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];

/// Somebody whose session is active until it is ended.
struct Busy<'a> {
    server: &'a Server,
    sleeping: Option<JoinHandle<()>>,
}

const SLEEPS: &str = "FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";

impl<'a> Busy<'a> {
    fn on(server: &'a Server) -> Self {
        let url = server.url("shop");
        let sleeping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let url = atalaya_estate::ConnectionUrl::parse(&url).unwrap();
                let session = atalaya_postgres::Session::connect(&url, "the application").await.unwrap();
                // Until somebody ends it, which is an error here.
                let _ended = session.batch("SELECT pg_sleep(1000)").await;
            });
        });
        let busy = Self { server, sleeping: Some(sleeping) };
        eventually("somebody is active", || {
            busy.server.run_sql("shop", &format!("SELECT count(*) {SLEEPS}")).unwrap() == "1"
        });
        busy
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let _ended = self.server.run_sql("shop", &format!("SELECT pg_terminate_backend(pid) {SLEEPS}"));
        if let Some(sleeping) = self.sleeping.take() {
            let _joined = sleeping.join();
        }
    }
}

#[test]
fn nothing_new_is_begun_on_a_busy_source_and_never_for_ever() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let busy = Busy::on(&shop.source);
    let mut running = shop.spawn("start", &["--source-active-limit", "0", "--workers", "2"]);
    eventually("the copy is held back", || {
        running.assert_alive();
        let ran = shop.run("status", &["--output", "json"]);
        ran.code == Some(0) && {
            let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            status["activity"]["held_back"]["active"] == 1
        }
    });
    assert!(shop.done("status", &[]).contains("waits    1 sessions of others are active on the source, limit 0"));
    assert_eq!(shop.status()["tables_done"], 0);
    assert!(running.stderr().contains("no new table or range is begun"), "{}", running.stderr());
    drop(busy);
    shop.wait_until_following(&mut running);
    assert!(running.stderr().contains("the source is calm"), "{}", running.stderr());

    // A proof waits likewise, and goes on slowly when that does not end.
    let busy = Busy::on(&shop.source);
    let ran = shop.validate(&["--source-active-limit", "0", "--source-active-wait", "1", "--output", "json"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("no further table is begun"), "{}", ran.stderr);
    assert!(ran.stderr.contains("one table at a time"), "{}", ran.stderr);
    drop(busy);
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
}

#[test]
fn a_role_with_few_connections_is_enough_for_many_workers_and_one_that_sees_no_activity_is_told_so() {
    let mut shop = Move::between(18, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    act_as_managed_role(&mut shop);
    // One more would be refused by the server, and is never tried again.
    shop.source.run_sql("shop", "ALTER ROLE administrator CONNECTION LIMIT 6").unwrap();
    let limited = ["--workers", "8", "--source-connections", "6", "--retries", "0"];
    shop.done("start", &[CAUGHT_UP, &limited].concat());
    // A server misses its clients a little later, and counts their connections until then.
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'administrator'";
    let all_gone = || eventually("all have gone", || shop.source.run_sql("shop", connected).unwrap() == "0");
    all_gone();
    let ran = shop.validate(&["--quiesced", "--workers", "8", "--source-connections", "6"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    all_gone();
    let ran = shop.validate(&["--quiesced", "--workers", "8"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("too many connections"), "{:?} {}", ran.code, ran.stderr);

    shop.source
        .run_sql("shop", "ALTER ROLE administrator CONNECTION LIMIT -1; REVOKE pg_monitor FROM administrator")
        .unwrap();
    let ran = shop.validate(&["--quiesced", "--source-active-limit", "10"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("cannot see what other sessions do"), "{}", ran.stderr);
    assert!(ran.stderr.contains("GRANT pg_monitor TO \"administrator\""), "{}", ran.stderr);
    let ran = shop.run("start", &["--source-connections", "5"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}
