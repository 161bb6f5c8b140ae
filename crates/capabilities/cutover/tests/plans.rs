//! Plans of real statements on real servers, where an index, a function, statistics are missing on one of them.

use std::sync::LazyLock;

use atalaya_cutover::preflight::{CheckResult, Status, preflight};
use atalaya_cutover::{Course, PlanCheck, Plans, Purpose};
use atalaya_sandbox::{Server, ServerOptions};

use crate::ground::{Ground, Side, back, course};

/// Servers that count statements.
static OLD: LazyLock<&Server> = LazyLock::new(|| counting(13));
static NEW: LazyLock<&Server> = LazyLock::new(|| counting(18));

fn counting(major: u16) -> &'static Server {
    let options = ServerOptions::new(major).setting("shared_preload_libraries", "pg_stat_statements");
    Box::leak(Box::new(Server::start(options).unwrap()))
}

const ORDERS: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, client int, placed timestamptz, note text);
    INSERT INTO orders SELECT n, n % 5000, '2026-01-01'::timestamptz + n * interval '1 minute', 'note ' || n
      FROM generate_series(1, 50000) n;
    CREATE INDEX orders_client ON orders (client);
    CREATE SCHEMA statistics;
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA statistics";

/// Both sides with the same tables.
pub(crate) fn ground() -> Ground {
    let ground = Ground::between(Side::on(*OLD), Side::on(*NEW), None);
    for side in [&ground.old, &ground.new] {
        side.sql(ORDERS);
        side.sql(&format!("GRANT ALL ON orders TO \"{}\"; ANALYZE", side.app.name()));
    }
    ground
}

pub(crate) async fn asked(side: &Side, statements: &[&str]) {
    let application = side.application().await;
    for statement in statements {
        application.batch(statement).await.unwrap();
    }
}

pub(crate) async fn looked(ground: &Ground, course: &Course, check: PlanCheck) -> CheckResult {
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    means.plans = Plans { check, ..Plans::default() };
    let report = preflight(course, &means).await.unwrap();
    let plans = report.check("plans").unwrap().clone();
    assert_eq!(report.failed().any(|failed| failed.id == "plans"), plans.status == Status::Fail);
    plans
}

/// The number of a statement, and how often it was run.
pub(crate) fn counted(side: &Side, text: &str) -> (String, String) {
    let sql = format!(
        "SELECT queryid, calls FROM statistics.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
          WHERE d.datname = current_database() AND query LIKE '{text}' AND userid = '\"{}\"'::regrole",
        side.app.name()
    );
    let row = side.sql(&sql);
    let (id, calls) = row.trim().split_once('|').unwrap_or_else(|| panic!("{text}: {row}"));
    (id.to_owned(), calls.to_owned())
}

pub(crate) fn left_out<'a>(plans: &'a CheckResult, why: &str) -> &'a str {
    let found = plans.findings.iter().find(|finding| finding.seen.contains(why));
    &found.unwrap_or_else(|| panic!("{why}: {plans:#?}")).seen
}

#[tokio::test]
async fn an_index_that_is_missing_names_the_statement_and_the_table() {
    let ground = ground();
    ground.new.sql("DROP INDEX orders_client");
    asked(
        &ground.old,
        &[
            "SELECT note FROM orders WHERE client = 4711",
            "SELECT note FROM orders WHERE id = 4711",
            "UPDATE orders SET note = 'secret' WHERE client = 4712",
        ],
    )
    .await;
    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Warn).await;
    assert_eq!(plans.status, Status::Warn, "{plans:#?}");
    for text in ["SELECT note FROM orders WHERE client%", "UPDATE orders%"] {
        let (id, calls) = counted(&ground.old, text);
        assert_eq!(calls, "1", "it is planned and not run");
        let of = format!("statement {id} (1 calls, ");
        let finding = plans.findings.iter().find(|finding| finding.seen.starts_with(&of));
        let finding = finding.unwrap_or_else(|| panic!("{of}: {plans:#?}"));
        assert!(finding.seen.contains("public.orders read whole instead of by an index"), "{finding:?}");
        assert!(finding.seen.contains(" by orders_client; "), "{finding:?}");
        assert!(
            finding.seen.contains("`shop-green`") && finding.seen.contains("Seq Scan on public.orders"),
            "{finding:?}"
        );
        assert!(finding.remedy.as_ref().unwrap().contains("validate --schema"), "{finding:?}");
    }
    let text = format!("{plans:?}");
    assert!(!text.contains("4711") && !text.contains("secret") && !text.contains("SELECT note"), "{text}");
    assert!(text.contains("3 of the 3 statements"), "{text}");

    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Fail).await;
    assert_eq!(plans.status, Status::Fail, "{plans:#?}");
    assert_eq!(looked(&ground, &course(Purpose::Flip), PlanCheck::Off).await.status, Status::Pass);
    ground.new.sql("CREATE INDEX orders_client ON orders (client); ANALYZE");
    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Fail).await;
    assert_eq!(plans.status, Status::Pass, "{plans:#?}");
}

#[tokio::test]
async fn partitions_lose_their_indexes_one_by_one() {
    let ground = ground();
    for side in [&ground.old, &ground.new] {
        side.sql(
            "CREATE TABLE days (day int, client int) PARTITION BY RANGE (day);
             CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (100);
             CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM (100) TO (200);
             CREATE INDEX days_1_client ON days_1 (client, day);
             INSERT INTO days SELECT n % 200, n % 5000 FROM generate_series(1, 100000) n; GRANT ALL ON days TO PUBLIC",
        );
    }
    ground.old.sql("CREATE INDEX days_2_client ON days_2 (client, day)");
    for side in [&ground.old, &ground.new] {
        side.sql("ANALYZE");
    }
    asked(&ground.old, &["SELECT count(*) FROM days WHERE client = 17 AND day = 150"]).await;
    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Warn).await;
    assert!(plans.findings[0].seen.contains(": public.days_2 read whole"), "{plans:#?}");
}

#[tokio::test]
async fn what_cannot_be_compared_is_counted_and_what_the_other_server_refuses_is_told() {
    let ground = ground();
    let app = ground.old.app.name();
    ground.old.sql(&format!(
        "CREATE SCHEMA attic; CREATE TABLE attic.old_orders (id int); CREATE TABLE only_here (id int); GRANT ALL ON only_here TO PUBLIC;
         GRANT ALL ON SCHEMA attic TO PUBLIC; GRANT ALL ON attic.old_orders TO PUBLIC;
         CREATE SCHEMA \"{app}\" AUTHORIZATION \"{app}\""
    ));
    asked(
        &ground.old,
        &[
            "CREATE FUNCTION sly() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'",
            "CREATE VIEW slyly AS SELECT id FROM public.orders WHERE client = sly()",
            "SELECT id FROM orders WHERE client = sly()",
            "SELECT count(*) FROM slyly",
            "SELECT count(*) FROM orders WHERE placed > now() - interval '5 days'",
            "SELECT 1 + 2",
            "SELECT count(*) FROM pg_catalog.pg_class",
            "SET search_path = attic",
            "SELECT id FROM old_orders",
            "SELECT only_here.id FROM public.only_here",
        ],
    )
    .await;
    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Warn).await;
    let id = |text: &str| counted(&ground.old, text).0;
    for (why, texts) in [
        ("might have code run", vec!["SELECT id FROM orders WHERE client = sly%", "SELECT count(_) FROM slyly"]),
        ("cannot be prepared from their texts", vec!["%interval%", "SELECT $1 + $2"]),
        ("search_path does not show", vec!["SELECT id FROM old_orders"]),
        // The body of the function, which was run when the application's server planned for it.
        ("touch no table", vec!["%pg_catalog.pg_class", "SELECT $1"]),
    ] {
        let told = left_out(&plans, why);
        assert!(told.starts_with(&format!("{} ", texts.len())), "{told}");
        assert!(texts.iter().all(|text| told.contains(&id(text))), "{texts:?}: {told}");
    }
    let refused = left_out(&plans, "refuses it (SQLSTATE 42P01)");
    assert!(refused.contains(&id("SELECT only_here%")), "{refused}");
    assert_eq!(plans.status, Status::Warn);
}

/// The other way round, with what the newer server writes of lists.
#[tokio::test]
async fn going_back_is_compared_too_where_that_is_asked_for() {
    let ground = ground();
    ground.old.sql("DROP INDEX orders_client");
    asked(&ground.new, &["SELECT note FROM orders WHERE client IN (4711, 4712, 4713)"]).await;
    let plans = looked(&ground, &back(), PlanCheck::Warn).await;
    assert_eq!(plans.status, Status::Warn, "{plans:#?}");
    assert!(plans.findings[0].seen.contains(&counted(&ground.new, "SELECT note%").0), "{plans:#?}");
}

#[tokio::test]
async fn a_server_that_counts_no_statements_is_told_how_it_would() {
    // Not even loaded.
    let ground = Ground::sqlite();
    for has_extension in [false, true] {
        if has_extension {
            ground.old.sql("CREATE EXTENSION pg_stat_statements");
        }
        let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Warn).await;
        assert_eq!(plans.status, Status::Pass, "{plans:#?}");
        assert!(
            plans.findings[0].remedy.as_ref().unwrap().contains("CREATE EXTENSION pg_stat_statements"),
            "{plans:#?}"
        );
        // Who has worse plans forbid it does not go by none at all.
        assert_eq!(looked(&ground, &course(Purpose::Flip), PlanCheck::Fail).await.status, Status::Fail);
    }
}
