//! Who writes without a gateway while clients are led away, and what is left for later by a prepared transaction.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Server, ServerOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::front::{Front, PASSWORD};
use super::heard::SHORT_PAUSE;
use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TABLE ledger.noted (id int PRIMARY KEY, said text); GRANT ALL ON ledger.noted TO clerk";
const STRAY: &str = "CREATE ROLE stray LOGIN PASSWORD";
const RIGHTS: &str = "GRANT USAGE ON SCHEMA ledger TO stray; GRANT ALL ON ledger.noted TO stray";

#[test]
fn writers_around_the_gateways_are_ended_kept_out_or_found_and_prepared_transactions_are_not_left_behind() {
    let options = |major| ServerOptions::new(major).setting("max_prepared_transactions", "4");
    let shop = Move::with(options(13), options(18));
    for server in [&shop.source, &shop.target] {
        server.run_sql("shop", &format!("{STRAY} '{PASSWORD}'")).unwrap();
    }
    let front = Front::before(shop, &[], &format!("{TABLES}; {RIGHTS}"));
    let run = front.start_clients("shop");
    front.until_committed(&run, 20);
    prepared_before(&front);
    prepared_meanwhile(&front);
    a_superuser_behind_the_fence(&front);
    a_superuser_behind_the_proof(&front, ("cutover", &front.shop.source, &front.shop.target), 5);
    let committed = a_writer_of_its_own(&front);
    front.until_committed(&run, 20);
    a_superuser_where_clients_have_left(&front);
    a_superuser_behind_the_proof(&front, ("rollback", &front.shop.target, &front.shop.source), 6);
    front.led(&["migrate", "rollback", "shop-to-18"]);
    assert!(front.is_let_in("stray", &front.shop.source) && !front.is_let_in("stray", &front.shop.target));
    front.until_committed(&run, 20);

    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.assert_equal();
    for server in [&front.shop.source, &front.shop.target] {
        front.reconcile(&record, server, "shop");
        let noted = format!("SELECT count(*) FROM ledger.noted WHERE id BETWEEN 1000 AND {}", 999 + committed);
        assert_eq!(server.run_sql("shop", &noted).unwrap(), committed.to_string());
    }
}

fn has(server: &Server, id: i32) -> bool {
    server.run_sql("shop", &format!("SELECT count(*) FROM ledger.noted WHERE id = {id}")).unwrap() == "1"
}

fn prepared_before(front: &Front) {
    let client = front.client("shop");
    front.batch(&client, "BEGIN; INSERT INTO ledger.noted VALUES (1, 'prepared'); PREPARE TRANSACTION 'one'");
    let refused = front.lead("cutover", &[]);
    let says = ["prepared-transactions", "COMMIT PREPARED or ROLLBACK PREPARED each of pg_prepared_xacts"];
    front.assert_broken_off(&refused, 4, &says, "shop");
    front.batch(&client, "COMMIT PREPARED 'one'");
    assert_eq!(front.found_by("cutover", "prepared-transactions"), "[]");
}

/// Behind the preflight, and before nobody can log in any more.
fn prepared_meanwhile(front: &Front) {
    let halted = front.halted("cutover-armed");
    let begun = "BEGIN; INSERT INTO ledger.noted VALUES (2, 'prepared'); PREPARE TRANSACTION 'two'";
    front.shop.source.run_sql("shop", begun).unwrap();
    halted.go_on();
    let says = ["1 prepared transactions are open", "commit or roll them back"];
    front.assert_broken_off(&halted.wait(), 1, &says, "shop");
    // Whoever has it still may decide it.
    front.shop.source.run_sql("shop", "COMMIT PREPARED 'two'").unwrap();
    eventually("both arrive", || has(&front.shop.target, 1) && has(&front.shop.target, 2));
}

/// No fence stops one, so it is asked for what was committed behind it.
fn a_superuser_behind_the_fence(front: &Front) {
    let halted = front.halted("cutover-fenced");
    assert!(!front.is_let_in("stray", &front.shop.source));
    front.shop.source.run_sql("shop", "INSERT INTO ledger.noted VALUES (3, 'behind the fence')").unwrap();
    halted.go_on();
    let says = ["1 transactions of others were committed behind the fence", "a superuser writes past the gateways"];
    front.assert_broken_off(&halted.wait(), 4, &says, "shop");
    assert!(front.is_let_in("stray", &front.shop.source));
    eventually("it arrives", || has(&front.shop.target, 3));
}

/// The same once both sides are proven, right before the decision.
fn a_superuser_behind_the_proof(front: &Front, (verb, left, other): (&str, &Server, &Server), id: i32) {
    let halted = front.halted_in(verb, "cutover-rechecking");
    left.run_sql("shop", &format!("INSERT INTO ledger.noted VALUES ({id}, 'behind the proof')")).unwrap();
    halted.go_on();
    let serving = if verb == "cutover" { "shop" } else { "shop-green" };
    let says = ["1 transactions of others were committed behind the fence"];
    front.assert_broken_off(&halted.wait(), 4, &says, serving);
    eventually("it arrives", || has(other, id));
}

/// A session that was there before ends, and no other one begins; how many rows it has committed.
fn a_writer_of_its_own(front: &Front) -> i32 {
    let url = format!("postgres://stray:{PASSWORD}@127.0.0.1:{}/shop", front.shop.source.port());
    let session =
        front.runtime.block_on(Session::connect(&ConnectionUrl::parse(&url).unwrap(), "stray writes")).unwrap();
    let (told, committed) = watch::channel(0);
    let writing = front.runtime.spawn(write(session, told));
    eventually("it writes", || *committed.borrow() > 20);
    front.led(&["migrate", "cutover", "shop-to-18"]);
    eventually("it has ended", || writing.is_finished());
    let sqlstate = ended(front, writing);
    assert!(matches!(sqlstate.as_deref(), None | Some("57P01")), "{sqlstate:?}");
    assert!(!front.is_let_in("stray", &front.shop.source) && front.is_let_in("stray", &front.shop.target));
    let committed = *committed.borrow();
    // Whether the last one was committed the writer was not told.
    let there = "SELECT count(*) FROM ledger.noted WHERE id >= 1000";
    let [old, new] = [&front.shop.source, &front.shop.target].map(|server| server.run_sql("shop", there).unwrap());
    assert_eq!(old, new);
    let found: i32 = new.parse().unwrap();
    assert!((committed..=committed + 1).contains(&found), "{found} of {committed}");
    committed
}

async fn write(session: Session, told: watch::Sender<i32>) -> Option<String> {
    for committed in 0.. {
        let insert = format!("INSERT INTO ledger.noted VALUES ({}, 'stray')", 1000 + committed);
        if let Err(error) = session.batch(&insert).await {
            return error.sqlstate().map(str::to_owned);
        }
        told.send_replace(committed + 1);
    }
    None
}

fn ended(front: &Front, writing: JoinHandle<Option<String>>) -> Option<String> {
    front.runtime.block_on(writing).unwrap()
}

/// What is written to the server that was left comes over, too.
fn a_superuser_where_clients_have_left(front: &Front) {
    let dry = front.found_by("rollback", "unfenced-roles");
    assert!(!dry.contains("stray"), "{dry}");
    front.shop.source.run_sql("shop", "INSERT INTO ledger.noted VALUES (4, 'behind their backs')").unwrap();
    eventually("it is brought over", || has(&front.shop.target, 4));
    let refused = front.lead("cutover", &["--max-pause", SHORT_PAUSE]);
    front.assert_broken_off(&refused, 4, &["route"], "shop-green");
}
