//! Each check of what servers and streams have, met by what it is for, and passed once its remedy was used.

use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use atalaya_cutover::preflight::{CheckResult, Status, preflight};
use atalaya_cutover::{Means, Purpose, fence};
use atalaya_postgres::Session;
use atalaya_route::Opening;
use atalaya_sandbox::{Server, ServerOptions};

use crate::ground::{Ground, NEW, OLD, Side, course};
use crate::hand::Streams;

/// What one check came to.
async fn check(means: &Means, id: &str) -> CheckResult {
    preflight(&course(Purpose::Flip), means).await.unwrap().check(id).unwrap().clone()
}

/// The worst that it saw, with its remedy.
fn told(check: &CheckResult) -> (String, String) {
    let finding = &check.findings[0];
    (finding.seen.clone(), finding.remedy.clone().unwrap_or_default())
}

async fn means(ground: &Ground) -> Means {
    let gates = ground.gates().await;
    ground.means("one", &gates).await
}

#[tokio::test]
async fn an_index_that_failed_to_build_forbids_it_until_it_is_built() {
    let ground = Ground::sqlite();
    let means = means(&ground).await;
    ground.new.sql("CREATE TABLE twice (a int); INSERT INTO twice VALUES (1), (1)");
    let build = "CREATE UNIQUE INDEX CONCURRENTLY \"twice A\" ON twice (a)";
    ground.new.server.run_sql(&ground.new.database, build).unwrap_err();
    let found = check(&means, "target-indexes").await;
    assert_eq!(found.status, Status::Fail, "{found:?}");
    let (seen, remedy) = told(&found);
    assert!(seen.contains("1 indexes are not valid: public.\"twice A\""), "{seen}");
    ground.new.sql("DELETE FROM twice WHERE ctid = (SELECT min(ctid) FROM twice)");
    ground.new.sql(&format!("{remedy} public.\"twice A\""));
    assert_eq!(check(&means, "target-indexes").await.status, Status::Pass);
}

#[tokio::test]
async fn constraints_that_are_not_validated_are_only_said_until_they_are() {
    let ground = Ground::sqlite();
    let means = means(&ground).await;
    ground.new.sql(
        "CREATE TABLE parent (a int PRIMARY KEY); CREATE TABLE child (a int, b int);
         ALTER TABLE child ADD CONSTRAINT \"positive B\" CHECK (b > 0) NOT VALID,
                           ADD CONSTRAINT of_parent FOREIGN KEY (a) REFERENCES parent NOT VALID",
    );
    let found = check(&means, "target-constraints").await;
    assert_eq!(found.status, Status::Warn, "{found:?}");
    let named = "2 constraints are not validated: \"positive B\" on public.child, of_parent on public.child";
    assert!(told(&found).0.contains(named), "{found:?}");
    ground.new.sql("ALTER TABLE child VALIDATE CONSTRAINT \"positive B\"");
    ground.new.sql("ALTER TABLE child VALIDATE CONSTRAINT of_parent");
    assert_eq!(check(&means, "target-constraints").await.status, Status::Pass);
}

#[tokio::test]
async fn tables_without_statistics_are_only_said_until_they_are_analyzed() {
    let ground = Ground::sqlite();
    let means = means(&ground).await;
    // Vacuumed, so that it is known to have pages.
    ground.new.sql("CREATE TABLE raw (a int); INSERT INTO raw VALUES (1), (2); VACUUM raw; CREATE TABLE empty (a int)");
    let found = check(&means, "target-analyzed").await;
    assert_eq!(found.status, Status::Warn, "{found:?}");
    let (seen, remedy) = told(&found);
    assert!(seen.contains("1 tables have no statistics: public.raw"), "{seen}");
    ground.new.sql(&remedy);
    assert_eq!(check(&means, "target-analyzed").await.status, Status::Pass);
}

#[tokio::test]
async fn streams_that_stand_and_streams_that_are_behind_forbid_it() {
    let ground = Ground::sqlite();
    let mut means = means(&ground).await;
    let limit = means.limits.lag_bytes_max;
    assert_eq!(limit, 16 << 20);
    for (stands, lag_bytes, status, says) in [
        (None, limit, Status::Pass, "16.8 MB are not applied"),
        (None, limit + 1, Status::Fail, "16.8 MB of the log are not applied"),
        (None, u64::MAX, Status::Fail, "of the log are not applied"),
        (Some("nothing runs"), 0, Status::Fail, "changes are not applied: nothing runs"),
    ] {
        means.ends[0].replication = Arc::new(Streams { stands, lag_bytes, ..Streams::default() });
        let found = check(&means, "replication").await;
        assert_eq!(found.status, status, "{found:?}");
        let (seen, remedy) = told(&found);
        assert!(seen.contains(says), "{seen}");
        assert_eq!(remedy.contains("`atalaya migrate start`"), stands.is_some(), "{remedy}");
    }
}

/// The fence of an epoch that is over is lifted by whoever comes next; one that is not over belongs to somebody.
#[tokio::test]
async fn a_fence_that_stands_forbids_it_while_its_epoch_is_open() {
    let ground = Ground::sqlite();
    let means = means(&ground).await;
    assert_eq!(check(&means, "fence-standing").await.findings, []);
    let routes = ground.routes().await;
    let session = Session::connect(&ground.old.url(), "atalaya cutover").await.unwrap();
    fence::prepare(&session).await.unwrap();
    let plan = fence::plan(&session, OLD).await.unwrap();
    let epoch = routes.standing(OLD).await.unwrap().last_epoch + 1;
    let opening = Opening {
        migration: "shop-to-18".to_owned(),
        from: OLD.to_owned(),
        to: NEW.to_owned(),
        gates: vec!["gate-1".to_owned()],
        lease: Duration::from_secs(60),
        lift: fence::lifting(&plan, OLD, epoch),
        rehearsal: true,
    };
    let open = routes.open(OLD, opening).await.unwrap();
    assert_eq!(open.epoch, epoch);
    let (none, limit) = (Duration::ZERO, Duration::from_secs(30));
    fence::raise(&session, &plan, OLD, epoch, &[], none, limit).await.unwrap();
    let found = check(&means, "fence-standing").await;
    assert_eq!(found.status, Status::Fail, "{found:?}");
    let (seen, remedy) = told(&found);
    assert!(seen.contains(&format!("the fence of epoch {epoch} stands")), "{seen}");
    assert!(remedy.contains("whoever closes it lifts it"), "{remedy}");

    routes.close(&open, "test", "enough").await.unwrap();
    let found = check(&means, "fence-standing").await;
    assert_eq!(found.status, Status::Pass, "{found:?}");
    assert!(told(&found).0.contains("it is over, and will be lifted first"), "{found:?}");
    fence::lift(&session, &fence::lifting(&plan, OLD, epoch)).await.unwrap();
    assert_eq!(check(&means, "fence-standing").await.findings, []);
}

#[tokio::test]
async fn members_of_the_fencing_role_and_the_databases_owner_are_named_as_let_in() {
    let ground = Ground::sqlite();
    let means = means(&ground).await;
    let database = &ground.old.database;
    let (member, owner) = (format!("member {database}"), format!("owner {database}"));
    let us = ground.old.sql("SELECT quote_ident(session_user)");
    ground.old.sql(&format!(
        "CREATE ROLE \"{member}\" LOGIN; GRANT {us} TO \"{member}\";
         CREATE ROLE \"{owner}\" LOGIN; ALTER DATABASE \"{database}\" OWNER TO \"{owner}\""
    ));
    let found = check(&means, "unfenced-roles").await;
    // The server is one for several tests: its roles are put back before anything is judged.
    ground.old.sql(&format!(
        "ALTER DATABASE \"{database}\" OWNER TO {us}; DROP ROLE \"{owner}\"; REVOKE {us} FROM \"{member}\"; DROP ROLE \"{member}\""
    ));
    assert_eq!(found.status, Status::Warn, "{found:?}");
    let seen = |what: &str, role: &str| {
        let named = |text: &str| text.contains(what) && text.contains(&format!("`{role}`"));
        found.findings.iter().any(|finding| named(&finding.seen) && finding.remedy.is_some())
    };
    assert!(seen("members of the fencing role", &member), "{found:?}");
    assert!(seen("the owner of the database", &owner), "{found:?}");
}

/// How long a transaction may be open before it is named is half of the longest pause.
#[tokio::test]
async fn a_transaction_that_has_been_open_for_long_is_named_with_its_role() {
    let ground = Ground::sqlite();
    let mut means = means(&ground).await;
    means.limits.max_pause = Duration::from_millis(100);
    let application = ground.old.application().await;
    application.batch("BEGIN; SELECT 1").await.unwrap();
    let open: i32 = application.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let named = format!("session {open} of `app {}` has had a transaction open for", ground.old.database);
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    let found = loop {
        let found = check(&means, "long-transactions").await;
        if found.status == Status::Warn || tokio::time::Instant::now() > until {
            break found;
        }
    };
    let finding = found.findings.iter().find(|finding| finding.seen.contains(&named));
    let remedy = finding.unwrap_or_else(|| panic!("{found:?}")).remedy.clone().unwrap();
    assert!(remedy.contains(&format!("pg_terminate_backend({open})")), "{remedy}");
    application.batch("COMMIT").await.unwrap();
    let found = check(&means, "long-transactions").await;
    assert!(found.findings.iter().all(|finding| !finding.seen.contains(&named)), "{found:?}");
}

#[tokio::test]
async fn a_prepared_transaction_forbids_it_until_it_is_decided() {
    static OLD_SERVER: LazyLock<Server> =
        LazyLock::new(|| Server::start(ServerOptions::new(13).setting("max_prepared_transactions", "2")).unwrap());
    let ground = Ground::between(Side::on(&OLD_SERVER), Side::new(18), None);
    let means = means(&ground).await;
    ground.old.sql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'one'");
    let found = check(&means, "prepared-transactions").await;
    assert_eq!(found.status, Status::Fail, "{found:?}");
    let (seen, remedy) = told(&found);
    assert!(seen.contains("1 prepared transactions are open"), "{seen}");
    assert!(remedy.contains("ROLLBACK PREPARED"), "{remedy}");
    ground.old.sql("COMMIT PREPARED 'one'");
    assert_eq!(check(&means, "prepared-transactions").await.status, Status::Pass);
}
