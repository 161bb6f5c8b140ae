//! What is done about schemas that differ.

use std::sync::Arc;

use atalaya_cutover::preflight::{Status, preflight};
use atalaya_cutover::{Course, Harm, OtherSchema, Purpose, SchemaDifference};

use crate::ground::{Ground, back, course};
use crate::hand::Streams;

#[tokio::test]
async fn what_would_be_stored_otherwise_forbids_a_cutover_unless_it_is_allowed_and_never_a_rollback() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    let there = course(Purpose::Flip);
    for (harm, policy, course, status) in [
        (Harm::Stored, OtherSchema::Refuse, &there, Status::Fail),
        (Harm::Stored, OtherSchema::Allow, &there, Status::Warn),
        (Harm::Stored, OtherSchema::Refuse, &back(), Status::Warn),
        (Harm::Done, OtherSchema::Refuse, &there, Status::Warn),
    ] {
        let what = "constraint positive on public.account is missing".to_owned();
        means.ends[0].replication =
            Arc::new(Streams { schema: vec![SchemaDifference { what: what.clone(), harm }], ..Streams::default() });
        means.other_schema = policy;
        let report = preflight(course, &means).await.unwrap();
        let check = report.check("schema").unwrap();
        assert_eq!(check.status, status, "{report:#?}");
        assert!(check.findings[0].seen.contains(&what), "{report:#?}");
        let Course { migration, .. } = course;
        let remedy = check.findings[0].remedy.clone().unwrap();
        assert!(remedy.contains(&format!("`atalaya validate {migration} --schema`")), "{remedy}");
    }
}

#[tokio::test]
async fn a_schema_that_cannot_be_seen_forbids_it_and_many_differences_are_counted() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    means.ends[0].replication = Arc::new(Streams { fails: Some("schema"), ..Streams::default() });
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    assert_eq!(report.check("schema").unwrap().status, Status::Fail, "{report:#?}");
    let schema = (1..=25)
        .map(|number| SchemaDifference { what: format!("index {number} is missing"), harm: Harm::Done })
        .collect();
    means.ends[0].replication = Arc::new(Streams { schema, ..Streams::default() });
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    let seen = &report.check("schema").unwrap().findings[0].seen;
    assert!(seen.contains("index 20 is missing; and 5 more") && !seen.contains("index 21"), "{seen}");
}
