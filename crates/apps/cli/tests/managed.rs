//! The whole move as a role of a managed service: owner of the tables, and nothing that a superuser is needed for.

use atalaya_sandbox::{Server, ServerOptions};

use crate::moves::{CHANGES, SCHEMA};
use crate::support::Move;

const ROLE: &str = "administrator";

/// Whether the role may set `session_replication_role` on the target, which 15 and later can be told to allow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReplicaRole {
    Granted,
    Refused,
}

/// Makes the role on both sides, the owner of all there is in `public`, and lets both URLs be its own.
pub(crate) fn act_as_managed_role(shop: &mut Move) {
    let url_of = |server: &Server| {
        let role = server.create_rds_shaped_role(ROLE, "shop").unwrap();
        server.give_public_schema(&role, "shop").unwrap();
        server.url_as(&role, "shop")
    };
    (shop.source_url, shop.target_url) = (url_of(&shop.source), url_of(&shop.target));
}

/// A migration whose URLs are those of a role that owns the source's tables and may create in the target's database.
fn managed(from: u16, to: u16, replica: ReplicaRole) -> Move {
    let mut shop = Move::with(ServerOptions::new(from), ServerOptions::new(to));
    shop.source.run_sql("shop", SCHEMA).unwrap();
    act_as_managed_role(&mut shop);
    if replica == ReplicaRole::Granted {
        let grant = format!("GRANT SET ON PARAMETER session_replication_role TO {ROLE}");
        shop.target.run_sql("shop", &grant).unwrap();
    }
    let replica_role = format!("SET ROLE {ROLE}; SET session_replication_role = replica");
    assert_eq!(shop.target.run_sql("shop", &replica_role).is_ok(), replica == ReplicaRole::Granted);
    let shape = format!(
        "SELECT NOT rolsuper AND rolreplication AND NOT rolcreaterole AND NOT rolbypassrls FROM pg_roles
          WHERE rolname = '{ROLE}'"
    );
    for server in [&shop.source, &shop.target] {
        assert_eq!(server.run_sql("shop", &shape).unwrap(), "t");
    }
    shop
}

/// What a shop without a superuser must come to, from an empty target to one that needs the source no more.
fn moves_from_start_to_finish(from: u16, to: u16, replica: ReplicaRole) -> Move {
    let shop = managed(from, to, replica);
    let running = shop.follow(&[]);
    shop.source.run_sql("shop", CHANGES).unwrap();
    let clean = shop.validate(&[]);
    assert_eq!(clean.code, Some(0), "{}\n{}", clean.stdout, clean.stderr);
    shop.assert_equal();

    shop.target
        .run_sql("shop", "ALTER TABLE customer DISABLE TRIGGER USER; UPDATE customer SET balance = -1 WHERE id = 7")
        .unwrap();
    let differs = shop.validate(&[]);
    assert_eq!(differs.code, Some(3), "{}\n{}", differs.stdout, differs.stderr);
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    shop.assert_equal();

    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &[]);
    shop.assert_equal();
    for table in ["customer", "event", "a"] {
        let objects = format!(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE tgrelid = '{table}'::regclass),
                    (SELECT count(*) FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype <> 'n' AND convalidated),
                    (SELECT count(*) FROM pg_index WHERE indrelid = '{table}'::regclass AND indisvalid),
                    (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '{table}'::regclass)"
        );
        assert_eq!(shop.source.run_sql("shop", &objects).unwrap(), shop.target.run_sql("shop", &objects).unwrap());
    }
    assert_nothing_of_ours(&shop.source);
    assert_nothing_of_ours(&shop.target);
    shop
}

/// A later move by the same roles, from where the first one went to where it came from.
fn moves_back(mut shop: Move, replica: ReplicaRole) {
    std::mem::swap(&mut shop.source, &mut shop.target);
    std::mem::swap(&mut shop.source_url, &mut shop.target_url);
    let first = shop.run("start", &[]);
    assert!(first.code == Some(4) && first.stderr.contains("target-empty"), "{}", first.stderr);
    let tables = "customer, \"Odd \"\"name\"\"\", log, event, a, b";
    let existing: &[&str] = match replica {
        // Foreign keys and triggers that are there can be kept from firing.
        ReplicaRole::Granted => {
            let grant = format!("GRANT SET ON PARAMETER session_replication_role TO {ROLE}; TRUNCATE {tables}");
            shop.target.run_sql("shop", &grant).unwrap();
            &["--existing-schema"]
        }
        ReplicaRole::Refused => {
            let objects = format!("DROP TABLE {tables} CASCADE; DROP TYPE mood; DROP FUNCTION touch() CASCADE");
            shop.target.run_sql("shop", &objects).unwrap();
            &[]
        }
    };
    let running = shop.follow(existing);
    shop.source
        .run_sql(
            "shop",
            "UPDATE customer SET balance = balance + 1 WHERE id % 5 = 0; DELETE FROM log WHERE line = 'line 1';
             INSERT INTO customer (name) VALUES ('on the way back'); INSERT INTO event (day, what) VALUES ('2025-03-03', 'back')",
        )
        .unwrap();
    let clean = shop.validate(&[]);
    assert_eq!(clean.code, Some(0), "{}\n{}", clean.stdout, clean.stderr);
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", existing);
    shop.assert_equal();
    assert_nothing_of_ours(&shop.source);
    assert_nothing_of_ours(&shop.target);
}

fn assert_nothing_of_ours(server: &Server) {
    let ours = "SELECT (SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM pg_publication),
                       (SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya')";
    assert_eq!(server.run_sql("shop", ours).unwrap(), "0|0|0");
}

#[test]
fn from_13_to_18_without_the_replica_role() {
    moves_from_start_to_finish(13, 18, ReplicaRole::Refused);
}

#[test]
fn from_18_to_18_and_back_without_the_replica_role() {
    moves_back(moves_from_start_to_finish(18, 18, ReplicaRole::Refused), ReplicaRole::Refused);
}

#[test]
fn from_18_to_18_and_back_with_the_replica_role_granted() {
    moves_back(moves_from_start_to_finish(18, 18, ReplicaRole::Granted), ReplicaRole::Granted);
}

#[test]
fn from_13_to_18_with_the_replica_role_granted() {
    moves_from_start_to_finish(13, 18, ReplicaRole::Granted);
}

#[test]
fn from_13_to_14_where_the_replica_role_cannot_be_granted() {
    moves_from_start_to_finish(13, 14, ReplicaRole::Refused);
}

#[test]
fn an_abort_leaves_nothing_of_ours_and_the_data_unless_told() {
    let shop = managed(13, 18, ReplicaRole::Refused);
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.done("abort", &[]);
    assert_nothing_of_ours(&shop.source);
    assert_nothing_of_ours(&shop.target);
    shop.assert_equal();
}
