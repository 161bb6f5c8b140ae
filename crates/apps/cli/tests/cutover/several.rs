//! Two databases behind one gateway, led elsewhere by one decision while clients of both work: both or neither.

use atalaya_load::ledger::LedgerRun;
use atalaya_postgres::Session;

use super::front::{Front, Gateways, MAX_PAUSE, Moved};
use super::heard::SHORT_PAUSE;
use crate::support::{Ran, eventually, ran, signal};

/// Long enough for the commands to come to their decision on a busy machine; what is halted before it waits this long.
const LEASE: &str = "10s";
const BOTH: [&str; 2] = ["shop-to-18", "users-to-18"];
/// On the same servers as the shop.
const USERS: Moved = Moved { name: "users", crosses: false };
/// From the server that the shop is led to, and to the one that it is led from.
const CROSSING: Moved = Moved { name: "users", crosses: true };

/// Clients of both databases.
struct Clients<'a> {
    front: &'a Front,
    shop: LedgerRun,
    users: LedgerRun,
}

impl<'a> Clients<'a> {
    fn of(front: &'a Front) -> Self {
        Self { front, shop: front.start_clients("shop"), users: front.start_clients("users") }
    }

    fn until_committed(&self, more: u64) {
        self.front.until_committed(&self.shop, more);
        self.front.until_committed(&self.users, more);
    }

    /// Nothing failed, and everything that was committed is on both sides of both, once.
    fn reconcile(self) {
        let Self { front, shop, users } = self;
        for (run, database) in [(shop, "shop"), (users, "users")] {
            let record = front.runtime.block_on(run.stop());
            assert_eq!((record.counts.failed, record.counts.unknown), (0, 0), "{database}: {:?}", record.errors());
            assert!(record.errors().is_empty(), "{database}: {:?}", record.errors());
            let (source, target) = front.sides(database);
            let is_led = front.serving(database) == "target";
            let (serving, other) = if is_led { (target, source) } else { (source, target) };
            front.reconcile(&record, serving, database);
            eventually("the other side has all", || front.found(&record, other, database).missing == 0);
            front.reconcile(&record, other, database);
            front.prove(database);
        }
    }
}

fn both(verb: &str) -> [&str; 4] {
    ["migrate", verb, BOTH[0], BOTH[1]]
}

/// Each database of a report, with its outcome.
fn outcomes(report: &serde_json::Value) -> Vec<(&str, &str)> {
    let databases = report["databases"].as_array().unwrap();
    databases.iter().map(|each| (each["database"].as_str().unwrap(), each["outcome"].as_str().unwrap())).collect()
}

fn versions(front: &Front) -> (String, String) {
    let major = |database| front.version(database).split('.').next().unwrap().to_owned();
    (major("shop"), major("users"))
}

fn at(shop: &str, users: &str) -> (String, String) {
    (shop.to_owned(), users.to_owned())
}

#[test]
fn two_databases_are_led_to_the_new_server_and_back_and_no_transaction_fails() {
    let front = Front::of(&[Moved::SHOP, USERS], 13, 18);
    front.prove("shop");
    let clients = Clients::of(&front);

    // What forbids one of them forbids both, and nothing is touched.
    let refused = front.ask(&both("cutover"));
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("proof of `users-to-18`"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("shop-to-18:"), "{}", refused.stderr);
    let looked = front.ask(&[&both("cutover")[..], &["--dry-run", "--output", "json"]].concat());
    assert_eq!(looked.code, Some(4), "{}\n{}", looked.stdout, looked.stderr);
    let looked: serde_json::Value = serde_json::from_str(&looked.stdout).unwrap();
    let forbids = |place: usize| looked["databases"][place]["forbids"].as_bool();
    assert_eq!((looked["forbids"].as_bool(), forbids(0), forbids(1)), (Some(true), Some(false), Some(true)));
    front.prove("users");
    let looked = front.ask(&[&both("cutover")[..], &["--dry-run"]].concat());
    assert_eq!(looked.code, Some(0), "{}\n{}", looked.stdout, looked.stderr);
    let twice = front.ask(&["migrate", "cutover", "shop-to-18", "users-to-18", "shop-to-18"]);
    assert_eq!(twice.code, Some(2), "{}\n{}", twice.stdout, twice.stderr);
    assert!(twice.stderr.contains("`shop-to-18` is named twice"), "{}", twice.stderr);

    clients.until_committed(50);
    // In whatever order they are named.
    let rehearsed = front.led(&["migrate", "cutover", "users-to-18", "shop-to-18", "--rehearse"]);
    assert_eq!(outcomes(&rehearsed), [("shop", "rehearsed"), ("users", "rehearsed")]);
    assert_eq!(rehearsed["databases"][0]["epoch"], 1, "nothing was opened before");
    assert_eq!(versions(&front), at("13", "13"));
    clients.until_committed(50);
    let drawn = (front.draw("shop"), front.draw("users"));

    let led = front.led(&both("cutover"));
    assert_eq!((&led["outcome"], &led["format"]), (&"flipped".into(), &1.into()));
    assert_eq!(outcomes(&led), [("shop", "flipped"), ("users", "flipped")]);
    assert_eq!(led["databases"][0]["with"], serde_json::json!(["users-to-18"]));
    assert_eq!(versions(&front), at("18", "18"));
    assert_eq!((front.serving("shop"), front.serving("users")), ("target".into(), "target".into()));
    assert!(front.draw("shop") > drawn.0 && front.draw("users") > drawn.1, "a number is given out twice");
    clients.until_committed(100);

    let back = front.led(&both("rollback"));
    assert_eq!(outcomes(&back), [("shop", "flipped"), ("users", "flipped")]);
    assert_eq!(versions(&front), at("13", "13"));
    clients.until_committed(50);
    // Each can go by itself still.
    let alone = front.led(&["migrate", "cutover", "users-to-18"]);
    assert_eq!((&alone["outcome"], &alone["with"]), (&"flipped".into(), &serde_json::Value::Null));
    assert_eq!(versions(&front), at("13", "18"));
    let apart = front.ask(&both("cutover"));
    assert_eq!(apart.code, Some(4), "{}\n{}", apart.stdout, apart.stderr);
    assert!(apart.stderr.contains("route of `users-to-18`"), "{}", apart.stderr);
    front.led(&["migrate", "rollback", "users-to-18"]);
    clients.until_committed(50);
    clients.reconcile();
}

/// Runs it until it is killed at a place.
fn killed_at(front: &Front, place: &str) {
    let estate = front.estate();
    let words = [&["--estate", estate.to_str().unwrap()], &both("cutover")[..], &["--max-pause", "5s"]].concat();
    let killed = ran(front.shop.command(&words).env("ATALAYA_FAILPOINT", place));
    assert_eq!(killed.signal, Some(9), "{place}: {}\n{}", killed.stdout, killed.stderr);
}

fn again(front: &Front) -> Ran {
    front.ask(&[&both("cutover")[..], &["--max-pause", MAX_PAUSE, "--output", "json"]].concat())
}

const SETTLES: &str = "atalaya migrate cutover shop-to-18 users-to-18";

/// The shop moves from one server to the other, and the users the other way.
#[test]
fn of_two_that_cross_both_or_neither_are_led_when_the_coordinator_is_killed() {
    let front = Front::of(&[Moved::SHOP, CROSSING], 15, 15);
    front.prove("shop");
    front.prove("users");
    let clients = Clients::of(&front);
    for (place, is_led) in [
        ("cutover-armed", false),
        // One of both is fenced, and the other one may be.
        ("cutover-fenced", false),
        ("cutover-flipping", false),
        ("cutover-flipped", true),
        // One of both is settled.
        ("cutover-settled", true),
    ] {
        clients.until_committed(30);
        killed_at(&front, place);
        if is_led {
            for database in ["shop", "users"] {
                let why = format!("the journal says that clients are led to `{database}-green`");
                front.assert_unsettled(database, place, &why, SETTLES);
            }
            // Nobody goes on with one of them alone.
            let alone = front.ask(&["migrate", "cutover", "users-to-18"]);
            assert_eq!(alone.code, Some(4), "{place}: {}\n{}", alone.stdout, alone.stderr);
            assert!(alone.stderr.contains(&format!("`{SETTLES}`")), "{place}: {}", alone.stderr);
        }
        let again = again(&front);
        if is_led {
            assert_eq!(again.code, Some(0), "{place}: {}\n{}", again.stdout, again.stderr);
            let report: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
            assert_eq!(outcomes(&report), [("shop", "flipped"), ("users", "flipped")], "{place}");
            assert_eq!((front.serving("shop"), front.serving("users")), ("target".into(), "target".into()), "{place}");
            clients.until_committed(30);
            front.led(&both("rollback"));
        } else {
            assert_eq!(again.code, Some(1), "{place}: {}\n{}", again.stdout, again.stderr);
            assert!(again.stderr.contains("they are served by `shop` and `users`"), "{place}: {}", again.stderr);
        }
        assert_eq!((front.serving("shop"), front.serving("users")), ("source".into(), "source".into()), "{place}");
    }
    clients.until_committed(30);
    clients.reconcile();
}

#[test]
fn a_transaction_of_one_that_does_not_end_keeps_both_where_they_are() {
    let front = Front::of(&[Moved::SHOP, USERS], 14, 17);
    front.prove("shop");
    front.prove("users");
    let clients = Clients::of(&front);
    clients.until_committed(30);
    let open = front.runtime.block_on(async {
        let session = Session::connect(&front.url("users"), "long").await.unwrap();
        session.batch("BEGIN; SELECT 1").await.unwrap();
        session
    });
    let failed = front.ask(&[&both("cutover")[..], &["--max-pause", SHORT_PAUSE]].concat());
    assert_eq!(failed.code, Some(1), "{}\n{}", failed.stdout, failed.stderr);
    assert!(failed.stderr.contains("users-to-18") && failed.stderr.contains("still ran"), "{}", failed.stderr);
    // Nothing was cut.
    front.runtime.block_on(open.batch("COMMIT")).unwrap();
    drop(open);
    assert_eq!(versions(&front), at("14", "14"));
    clients.until_committed(50);
    let led = front.led(&both("cutover"));
    assert_eq!(led["databases"][1]["epoch"], 2, "both were closed");
    assert_eq!(led["databases"][0]["epoch"], 2, "both were closed");
    assert_eq!(versions(&front), at("17", "17"));
    clients.until_committed(50);
    clients.reconcile();
}

/// A coordinator that sleeps until gates have closed what it is about to decide.
#[test]
fn a_coordinator_that_wakes_after_the_lease_leads_neither_away() {
    let front = Front::of(&[Moved::SHOP, USERS], 16, 18);
    front.prove("shop");
    front.prove("users");
    let clients = Clients::of(&front);
    clients.until_committed(30);
    let words = [&both("cutover")[..], &["--max-pause", LEASE]].concat();
    let mut halted = front.spawn(&words, &[("ATALAYA_FAILPOINT", "cutover-flipping:1:stop")]);
    halted.wait_for_halt();
    // The gateway's lease is over: clients of both work again.
    clients.until_committed(50);
    signal(halted.pid(), nix::sys::signal::Signal::SIGCONT);
    let woken = halted.wait();
    assert_eq!(woken.code, Some(1), "{}\n{}", woken.stdout, woken.stderr);
    // It has slept longer than it may be in charge, or not.
    let says = ["the epoch was closed by", "it was interrupted while clients were held"];
    assert!(says.iter().any(|said| woken.stderr.contains(said)), "{}", woken.stderr);
    assert_eq!(versions(&front), at("16", "16"));
    eventually("both served", || front.serving("shop") == "source" && front.serving("users") == "source");
    let led = front.led(&both("cutover"));
    assert_eq!(outcomes(&led), [("shop", "flipped"), ("users", "flipped")]);
    clients.until_committed(50);
    clients.reconcile();
}

/// As on two machines that share a journal: each gateway knows one of both.
#[test]
fn two_gateways_of_which_each_leads_one_database_lead_both_or_neither() {
    let front = Front::behind(Gateways::Each, &[Moved::SHOP, USERS], 13, 18);
    front.prove("shop");
    front.prove("users");
    let clients = Clients::of(&front);
    clients.until_committed(30);
    let sockets = front.sockets();
    let through = |words: &[&'static str]| -> Vec<String> {
        let gateways = sockets.iter().flat_map(|socket| ["--gateway", socket.as_str()]);
        words.iter().copied().chain(gateways).map(str::to_owned).collect()
    };
    // One whose gateway is not named is led by nobody.
    let without = front.ask(&["migrate", "cutover", BOTH[0], BOTH[1], "--gateway", &sockets[0]]);
    assert_eq!(without.code, Some(4), "{}\n{}", without.stdout, without.stderr);
    assert!(without.stderr.contains("no gateway is ready that leads clients to `users`"), "{}", without.stderr);
    // One that has nothing to do with the only database that is named is wrong.
    let alone = through(&["migrate", "cutover", BOTH[0]]);
    let alone = front.ask(&asked(&alone));
    assert_eq!(alone.code, Some(4), "{}\n{}", alone.stdout, alone.stderr);
    assert!(alone.stderr.contains("no database of the gateway leads to `shop`"), "{}", alone.stderr);

    // The lease of either is over before the coordinator wakes.
    let halted = through(&["migrate", "cutover", BOTH[0], BOTH[1], "--max-pause", LEASE]);
    let mut halted = front.spawn(&asked(&halted), &[("ATALAYA_FAILPOINT", "cutover-flipping:1:stop")]);
    halted.wait_for_halt();
    clients.until_committed(50);
    signal(halted.pid(), nix::sys::signal::Signal::SIGCONT);
    assert_eq!(halted.wait().code, Some(1));
    assert_eq!(versions(&front), at("13", "13"));

    let there = through(&both("cutover"));
    let led = front.led(&asked(&there));
    assert_eq!(outcomes(&led), [("shop", "flipped"), ("users", "flipped")]);
    for (place, socket) in sockets.iter().enumerate() {
        let gateways = led["databases"][place]["gateways"].as_array().unwrap();
        assert_eq!((gateways.len(), gateways[0]["gateway"].as_str()), (1, Some(socket.as_str())), "{led}");
    }
    assert_eq!(versions(&front), at("18", "18"));
    clients.until_committed(50);
    let back = through(&both("rollback"));
    front.led(&asked(&back));
    assert_eq!(versions(&front), at("13", "13"));
    clients.until_committed(50);
    clients.reconcile();
}

/// Words as they are passed on.
fn asked(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
