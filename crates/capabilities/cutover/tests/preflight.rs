//! What forbids a cutover, and what is only said.

use std::sync::Arc;

use atalaya_cutover::preflight::{Status, preflight};
use atalaya_cutover::{LastProof, Means, Outlook, Purpose, Unprovable, Unproven, WayBack};

use crate::ground::{Ground, course};
use crate::hand::Streams;

#[tokio::test]
async fn nothing_is_found_where_all_is_well_but_who_cannot_be_kept_out() {
    let ground = Ground::sqlite();
    ground.old.sql(&format!("CREATE ROLE \"root {}\" LOGIN SUPERUSER", ground.old.database));
    let gates = ground.gates().await;
    let report = preflight(&course(Purpose::Flip), &ground.means("one", &gates).await).await.unwrap();
    assert!(!report.forbids, "{report:#?}");
    let unfenced = report.check("unfenced-roles").unwrap();
    assert_eq!(unfenced.status, Status::Warn);
    assert!(unfenced.findings[0].seen.contains(&format!("`root {}`", ground.old.database)), "{unfenced:?}");
    ground.old.sql(&format!("DROP ROLE \"root {}\"", ground.old.database));
}

#[tokio::test]
async fn each_party_forbids_what_it_must() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    gates[0].refuse("ready");
    let mut means = ground.means("one", &gates).await;
    means.ends[0].replication = Arc::new(Streams {
        way_back: Some(WayBack::Impossible { why: "no slot is free".to_owned() }),
        proof: Some(Some(LastProof {
            age: std::time::Duration::from_secs(90_000),
            is_clean: true,
            what: String::new(),
        })),
        ..Streams::default()
    });
    ground.new.sql("CREATE MATERIALIZED VIEW never AS SELECT 1 WITH NO DATA");
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    let failed: Vec<&str> = report.failed().map(|check| check.id).collect();
    assert_eq!(failed, ["gateways", "way-back", "proof", "target-materialized-views"]);
    assert!(report.failed().all(|check| check.findings[0].remedy.is_some()), "{report:#?}");
}

#[tokio::test]
async fn views_that_nobody_fills_before_clients_come_are_named() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    let status = async |means: &Means| {
        let report = preflight(&course(Purpose::Flip), means).await.unwrap();
        let views = report.checks.iter().find(|check| check.id == "target-materialized-views").unwrap();
        (views.status, views.findings.iter().map(|finding| finding.seen.clone()).collect::<String>())
    };
    assert_eq!(status(&means).await, (Status::Pass, String::new()));
    ground.new.sql("CREATE MATERIALIZED VIEW old AS SELECT 1");
    let (warned, seen) = status(&means).await;
    assert!(warned == Status::Warn && seen.contains("public.old"), "{warned:?}: {seen}");
    ground.new.sql("CREATE MATERIALIZED VIEW never AS SELECT 1 WITH NO DATA");
    assert_eq!(status(&means).await.0, Status::Fail);
    means.ends[0].replication = Arc::new(Streams { fills_views: true, ..Streams::default() });
    assert_eq!(status(&means).await, (Status::Pass, String::new()));
}

#[tokio::test]
async fn tables_that_cannot_be_proven_forbid_it_unless_they_are_allowed() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    for (outlook, unproven, status) in [
        (Outlook::Unproven, Unproven::Refuse, Status::Fail),
        (Outlook::Unproven, Unproven::Allow, Status::Warn),
        (Outlook::IfWritten, Unproven::Refuse, Status::Warn),
    ] {
        let (table, why) = ("public.log".to_owned(), "it has no key".to_owned());
        let unprovable = vec![Unprovable { table, why, remedy: "add a key".to_owned(), outlook }];
        means.ends[0].replication = Arc::new(Streams { unprovable, ..Streams::default() });
        means.unproven = unproven;
        let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
        assert_eq!(report.check("proof").unwrap().status, status, "{report:#?}");
        assert!(report.check("proof").unwrap().findings[0].seen.contains("public.log"), "{report:#?}");
    }
}

/// Going back never waits for somebody to prove first, and nobody is told that it was.
#[tokio::test]
async fn a_proof_that_is_missing_old_or_not_clean_is_only_said_to_who_goes_back() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    let proof = |hours: u64, is_clean| {
        let age = std::time::Duration::from_secs(hours * 3600);
        Some(LastProof { age, is_clean, what: String::new() })
    };
    for proof in [None, proof(25, true), proof(1, false)] {
        means.ends[0].replication = Arc::new(Streams { proof: Some(proof), ..Streams::default() });
        let report = preflight(&crate::ground::back(), &means).await.unwrap();
        assert_eq!(report.check("proof").unwrap().status, Status::Warn, "{report:#?}");
        let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
        let forward = report.check("proof").unwrap();
        assert_eq!(forward.status, Status::Fail, "{forward:#?}");
        assert!(forward.findings[0].remedy.as_ref().unwrap().contains("atalaya validate "), "{forward:#?}");
    }
}

#[tokio::test]
async fn an_application_that_logs_in_as_the_fencing_role_forbids_it() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let means = ground.means("one", &gates).await;
    let application = atalaya_postgres::Session::connect(&ground.old.url(), "shop").await.unwrap();
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    let rights = report.check("fence-rights").unwrap();
    assert_eq!(rights.status, Status::Fail, "{report:#?}");
    assert!(rights.findings[0].seen.contains("of the fencing role"), "{rights:?}");
    drop(application);
    // One that has no session just now is known by the gateways' users.
    let mut means = ground.means("one", &gates).await;
    means.client_roles.push(ground.old.sql("SELECT session_user").trim().to_owned());
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    assert!(
        report.check("fence-rights").unwrap().findings.iter().any(|found| found.seen.contains("log clients in as")),
        "{report:#?}"
    );
}

/// A role as on a managed server that does not own the database.
#[tokio::test]
async fn rights_that_the_fencing_role_lacks_are_named_with_the_grant() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let database = &ground.old.database;
    let mover = ground.old.server.create_rds_shaped_role(&format!("mover {database}"), database).unwrap();
    let mut means = ground.means("one", &gates).await;
    let url = ground.old.server.url_as(&mover, database);
    means.ends[0].places[0].1 = atalaya_estate::ConnectionUrl::parse(&url).unwrap();
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    let rights = report.check("fence-rights").unwrap();
    assert_eq!(rights.status, Status::Fail);
    let remedy = rights.findings[0].remedy.clone().unwrap();
    assert!(remedy.ends_with(&format!("TO \"mover {database}\"")), "{remedy}");
    ground.old.sql(&remedy);
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    assert_eq!(report.check("fence-rights").unwrap().status, Status::Pass, "{report:#?}");
}
