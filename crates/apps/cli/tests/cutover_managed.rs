//! There, back and to the end as roles of a managed service: no superuser anywhere, and what is missing is said with its SQL.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Role, Server};
use serde_json::Value;

use crate::cutover::Front;
use crate::support::{Move, Ran};

const ROLE: &str = "administrator";

/// Who owns the database.
#[derive(Clone, Copy)]
enum Owner {
    /// The role itself.
    Itself,
    /// Another one, of which it is a member.
    Other,
}

/// As a managed service has it: rights by membership in a group of the service's, and no role of the application's.
fn managed_role(server: &Server, owner: Owner) -> Role {
    let role = server.create_rds_shaped_role(ROLE, "shop").unwrap();
    server.give_public_schema(&role, "shop").unwrap();
    let rights = format!(
        "CREATE ROLE shop_owner; CREATE ROLE rds_superuser; GRANT pg_monitor, pg_signal_backend TO rds_superuser; GRANT rds_superuser TO {ROLE};
         REVOKE pg_monitor, pg_signal_backend FROM {ROLE}"
    );
    server.run_sql("shop", &rights).unwrap();
    let owned = match owner {
        Owner::Itself => format!("ALTER DATABASE shop OWNER TO {ROLE}"),
        Owner::Other => {
            format!("GRANT shop_owner TO {ROLE}; ALTER DATABASE shop OWNER TO shop_owner")
        }
    };
    server.run_sql("shop", &owned).unwrap();
    role
}

/// Both servers with that role in the URLs of the estate.
fn managed(from: u16, to: u16, owners: [Owner; 2]) -> Move {
    let mut shop = Move::between(from, to);
    let [source, target] = owners;
    shop.source_url = shop.source.url_as(&managed_role(&shop.source, source), "shop");
    shop.target_url = shop.target.url_as(&managed_role(&shop.target, target), "shop");
    shop
}

fn dry_run(front: &Front, verb: &str) -> (Ran, Value) {
    let looked = front.ask(&["migrate", verb, "shop-to-18", "--dry-run", "--output", "json"]);
    let report = serde_json::from_str(&looked.stdout).unwrap_or_default();
    (looked, report)
}

/// There, back, there again under load, and finished with clients on the new server; the old one stays shut.
fn goes_there_and_back_and_ends(front: Front) {
    let (looked, report) = dry_run(&front, "cutover");
    assert_eq!(looked.code, Some(0), "{report:#}\n{}", looked.stderr);
    let before = [&front.shop.source, &front.shop.target].map(rights);
    let run = front.start_clients("shop");
    front.until_committed(&run, 50);
    front.led(&["migrate", "cutover", "shop-to-18", "--rehearse"]);
    assert_eq!([&front.shop.source, &front.shop.target].map(rights), before, "a rehearsal gives back every right");
    front.led(&["migrate", "cutover", "shop-to-18"]);
    front.until_committed(&run, 50);
    front.led(&["migrate", "rollback", "shop-to-18"]);
    front.until_committed(&run, 50);
    assert_eq!(rights(&front.shop.source), before[0]);
    front.led(&["migrate", "cutover", "shop-to-18"]);
    front.until_committed(&run, 50);
    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.reconcile(&record, &front.shop.target, "shop");
    let file = front.shop.state().join("moved");
    let finished = front.ask(&["migrate", "finish", "shop-to-18", "--certificate", file.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    assert_certified(&front, &file);
    front.reconcile(&record, &front.shop.target, "shop");
    assert_eq!(rights(&front.shop.target), before[1]);
    let ours = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('atalaya') AND relkind = 'r'";
    for server in [&front.shop.source, &front.shop.target] {
        assert_eq!(server.run_sql("shop", ours).unwrap(), "fence", "which epochs are over is not forgotten");
    }
    assert_shut_until_opened_by_hand(&front, &before[0]);
}

/// The move has ended, and nobody has said that the old server may be used again.
fn assert_shut_until_opened_by_hand(front: &Front, rights_before: &str) {
    let source = &front.shop.source;
    assert!(!front.is_let_in("clerk", source) && front.is_let_in("clerk", &front.shop.target));
    let standing = "SELECT lift FROM atalaya.fence WHERE database = 'shop' AND raised > lifted";
    let lift = source.run_sql("shop", standing).unwrap();
    // As the role that fenced, whose URL is the move's own.
    let url = ConnectionUrl::parse(&front.shop.source_url).unwrap();
    front.runtime.block_on(async {
        let session = Session::connect(&url, "by hand").await.unwrap();
        session.batch(&lift).await.unwrap();
    });
    assert!(front.is_let_in("clerk", source));
    assert_eq!(rights(source), rights_before);
    assert_eq!(source.run_sql("shop", standing).unwrap(), "");
}

/// Every row of both sides, at one position of the log of the server that has the clients.
fn assert_certified(front: &Front, file: &std::path::Path) {
    let data = file.with_extension("json");
    let read: Value = serde_json::from_slice(&std::fs::read(&data).unwrap()).unwrap();
    let certificate = &read["certificate"];
    assert_eq!((&certificate["moment"], &certificate["occasion"]), (&"way_back".into(), &"finish".into()));
    assert!(certificate["target"]["server_version"].as_str().unwrap().starts_with("18."), "{certificate}");
    assert_eq!(certificate["cutovers"].as_array().unwrap().len(), 3);
    let tables = certificate["tables"].as_array().unwrap();
    assert!(tables.len() >= 4 && tables.iter().all(|table| table["source"] == table["target"]), "{tables:#?}");
    for side in ["--source", "--target"] {
        let url = if side == "--source" { "env:SOURCE_URL" } else { "env:TARGET_URL" };
        let checked = front.ask(&["validate", "--against", file.with_extension("html").to_str().unwrap(), side, url]);
        assert_eq!(checked.code, Some(0), "{side}: {}\n{}", checked.stdout, checked.stderr);
    }
}

/// The database's rights; where nobody ever changed them, the list that the server takes that for.
fn rights(server: &Server) -> String {
    let sql = "SELECT coalesce(datacl, acldefault('d', datdba))::text FROM pg_database WHERE datname = 'shop'";
    server.run_sql("shop", sql).unwrap()
}

#[test]
fn from_13_to_18_without_the_replica_role_where_no_foreign_key_would_act() {
    let shop = managed(13, 18, [Owner::Itself, Owner::Other]);
    let front = Front::before(
        shop,
        &[],
        "ALTER TABLE ledger.entry DROP CONSTRAINT entry_transfer_id_fkey, DROP CONSTRAINT entry_account_id_fkey",
    );
    goes_there_and_back_and_ends(front);
}

#[test]
fn from_15_to_18_with_the_replica_role_granted_and_foreign_keys() {
    let shop = managed(15, 18, [Owner::Other, Owner::Itself]);
    for server in [&shop.source, &shop.target] {
        let grant = format!("GRANT SET ON PARAMETER session_replication_role TO {ROLE}");
        server.run_sql("shop", &grant).unwrap();
    }
    goes_there_and_back_and_ends(Front::before(shop, &[], ""));
}

#[test]
fn what_such_a_role_may_not_do_is_refused_with_the_sql_that_helps() {
    let shop = managed(15, 18, [Owner::Itself, Owner::Other]);
    let front = Front::before(shop, &[], "");
    let take = format!(
        "REVOKE pg_signal_backend, pg_monitor FROM rds_superuser; ALTER DATABASE shop OWNER TO postgres;
         REVOKE CREATE ON DATABASE shop FROM {ROLE}"
    );
    let superuser = front.shop.source.run_sql("shop", "SELECT session_user").unwrap();
    front.shop.source.run_sql("shop", &take.replace("TO postgres", &format!("TO \"{}\"", superuser.trim()))).unwrap();
    front.shop.target.run_sql("shop", &format!("REVOKE shop_owner FROM {ROLE}")).unwrap();
    let (looked, report) = dry_run(&front, "cutover");
    assert_eq!(looked.code, Some(4), "{report:#}\n{}", looked.stderr);
    let check = |report: &Value, id: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["id"] == id).unwrap().clone()
    };
    let findings = check(&report, "fence-rights")["findings"].as_array().unwrap().clone();
    let severities: Vec<&str> = findings.iter().map(|finding| finding["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["fail", "fail", "fail", "fail", "warn"], "{findings:#?}");
    // Each remedy is SQL as it stands, for the server that is named.
    for finding in &findings {
        let server = match finding["seen"].as_str().unwrap().starts_with("in `shop-green`") {
            true => &front.shop.target,
            false => &front.shop.source,
        };
        server.run_sql("shop", finding["remedy"].as_str().unwrap()).unwrap();
    }
    let way_back = check(&report, "way-back");
    assert_eq!(way_back["status"], "fail", "{way_back:#}");
    let seen = way_back["findings"][0]["seen"].as_str().unwrap();
    assert!(seen.contains("GRANT SET ON PARAMETER session_replication_role"), "{seen}");
    // The foreign keys of the one server would act on what comes back, those of the other one on what is still to come.
    let grant = format!("GRANT SET ON PARAMETER session_replication_role TO {ROLE}");
    for (server, code) in [(&front.shop.source, 4), (&front.shop.target, 0)] {
        server.run_sql("shop", &grant).unwrap();
        let (looked, report) = dry_run(&front, "cutover");
        assert_eq!(looked.code, Some(code), "{report:#}\n{}", looked.stderr);
        assert_eq!(check(&report, "way-back")["status"] == "fail", code == 4, "{report:#}");
    }
}
