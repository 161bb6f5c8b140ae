//! Clients that depend on the server that is left: told of before, ended with a reason, and counted.

use atalaya_postgres::Session;

use super::front::Front;
use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TYPE ledger.mood AS ENUM ('sad', 'glad');
    CREATE TABLE ledger.felt (id int PRIMARY KEY, mood ledger.mood); INSERT INTO ledger.felt VALUES (1, 'glad');
    GRANT ALL ON ledger.felt TO clerk";
/// What ties a client, and how it is called.
const TIES: [(&str, &str); 4] = [
    ("LISTEN news", "LISTEN"),
    ("CREATE TEMP TABLE mine (x int)", "temporary objects"),
    ("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1; COMMIT", "a cursor WITH HOLD"),
    ("SELECT pg_advisory_lock(4711)", "an advisory lock"),
];

/// Clients of both ways of pooling, some tied to their servers.
struct Clients {
    tied: Vec<Session>,
    /// Nothing ties these: one shares servers, the other one has one for its session.
    free: [Session; 2],
    /// It has seen a type's number.
    knowing: Session,
}

impl Clients {
    fn of(front: &Front) -> Self {
        let mut tied: Vec<Session> = TIES.iter().map(|(sql, _)| tied(front, "shop", sql)).collect();
        tied.push(tied_by_session(front));
        let free = ["shop", "sessions"].map(|database| front.client(database));
        for client in &free {
            // What a client of a newer server sets at its login an older one may not know.
            front.batch(client, "RESET ALL; SET work_mem = '9MB'");
        }
        let knowing = front.client("shop");
        assert_eq!(front.asked(&knowing, "SELECT mood::text FROM ledger.felt"), "glad");
        front.runtime.block_on(knowing.query("SELECT mood FROM ledger.felt", &[])).unwrap();
        let clients = Self { tied, free, knowing };
        clients.assert_listed(front);
        clients
    }

    fn assert_listed(&self, front: &Front) {
        let kept = || {
            let status = front.gateway_status();
            let databases = status["databases"].as_array().unwrap();
            databases.iter().flat_map(|database| database["kept"].as_array().unwrap().clone()).collect::<Vec<_>>()
        };
        eventually("all are listed", || kept().len() == self.tied.len());
        let listed = format!("{:?}", kept());
        assert!(TIES.iter().all(|(_, name)| listed.contains(name)), "{listed}");
    }

    /// Each of those that are tied was told the reason, and nobody else was ended.
    fn assert_tied_ended(&self, front: &Front) {
        for client in &self.tied {
            let sqlstate = front.ended_with(client);
            assert!(matches!(sqlstate.as_deref(), None | Some("57P01")), "{sqlstate:?}");
        }
        for client in &self.free {
            assert_eq!(front.asked(client, "SELECT current_setting('work_mem')"), "9MB");
        }
    }
}

fn tied(front: &Front, database: &str, sql: &str) -> Session {
    let client = front.client(database);
    front.batch(&client, sql);
    client
}

fn tied_by_session(front: &Front) -> Session {
    tied(front, "sessions", "CREATE TEMP TABLE mine (x int)")
}

/// How many were ended, by why.
fn ended(report: &serde_json::Value) -> (u64, u64) {
    let gateway = &report["gateways"][0];
    (gateway["clients_ended"].as_u64().unwrap(), gateway["clients_misled"].as_u64().unwrap())
}

#[test]
fn clients_that_depend_on_their_server_are_listed_ended_with_57p01_and_counted_apart() {
    let front = Front::before(Move::between(13, 18), &[("sessions", ", pooling: session")], TABLES);
    let run = front.start_clients("shop");
    front.until_committed(&run, 20);

    let clients = Clients::of(&front);
    let found = front.found_by("cutover", "pinned-clients");
    assert!(found.contains("5 clients of") && found.contains("1 clients of"), "{found}");
    // A fence ends every session of the server, whether clients are led away behind it or not.
    let rehearsed = front.led(&["migrate", "cutover", "shop-to-18", "--rehearse"]);
    assert_eq!(ended(&rehearsed), (5, 0));
    clients.assert_tied_ended(&front);
    assert_eq!(front.asked(&clients.knowing, "SELECT mood::text FROM ledger.felt"), "glad");
    drop(clients);

    for (verb, version) in [("cutover", "18."), ("rollback", "13.")] {
        let clients = Clients::of(&front);
        let newer = front.client("shop");
        let report = front.led(&["migrate", verb, "shop-to-18"]);
        assert_eq!(ended(&report), (5, 1), "{verb}");
        clients.assert_tied_ended(&front);
        assert_eq!(front.ended_with(&clients.knowing).as_deref().unwrap_or("57P01"), "57P01");
        for client in &clients.free {
            assert!(front.asked(client, "SELECT current_setting('server_version')").starts_with(version));
        }
        if version == "13." {
            let told = front.runtime.block_on(newer.batch("SELECT 1")).unwrap_err();
            assert_eq!(told.sqlstate(), Some("57P01"), "it has set what 14 brought");
        }
        front.until_committed(&run, 20);
    }

    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.reconcile(&record, &front.shop.source, "shop");
    front.assert_equal();
    front.reconcile(&record, &front.shop.target, "shop");
}
