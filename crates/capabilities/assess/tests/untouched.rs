//! An assessment alters nothing.

use atalaya_assess::{Plan, assess};

use crate::support::{Kind, Login, create_database, run_sql, session, url};

/// Catalog rows with the transaction that wrote them, and everything outside the database that could change.
const FINGERPRINT: &str = "
    SELECT md5(string_agg(x, ',' ORDER BY x)) FROM (
        SELECT 'c' || c.oid || '/' || c.xmin || '/' || c.relfilenode AS x FROM pg_catalog.pg_class c
        UNION ALL SELECT 'a' || attrelid || '/' || attnum || '/' || xmin FROM pg_catalog.pg_attribute
        UNION ALL SELECT 'i' || indexrelid || '/' || xmin FROM pg_catalog.pg_index
        UNION ALL SELECT 'k' || oid || '/' || xmin FROM pg_catalog.pg_constraint
        UNION ALL SELECT 'n' || oid || '/' || xmin FROM pg_catalog.pg_namespace
        UNION ALL SELECT 'p' || oid || '/' || xmin FROM pg_catalog.pg_publication
        UNION ALL SELECT 't' || oid || '/' || xmin FROM pg_catalog.pg_trigger
        UNION ALL SELECT 'l' || oid || '/' || xmin FROM pg_catalog.pg_largeobject_metadata
        UNION ALL SELECT 'd' || datname || '/' || d.xmin FROM pg_catalog.pg_database d
                   WHERE datname = pg_catalog.current_database()
        UNION ALL SELECT 's' || slot_name FROM pg_catalog.pg_replication_slots
                   WHERE database = pg_catalog.current_database()
        UNION ALL SELECT 'r' || id || '/' || xmin FROM public.t) f";

async fn fingerprint(kind: Kind, database: &str) -> String {
    session(kind, database).await.query_one(FINGERPRINT, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_assessment_alters_neither_side() {
    let sql = "CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE TABLE bare (id int)";
    let source = create_database(Kind::Old, "untouched_source", "").await;
    let target = create_database(Kind::New, "untouched_target", "").await;
    run_sql(Kind::Old, &source, sql).await;
    run_sql(Kind::New, &target, sql).await;
    let before = (fingerprint(Kind::Old, &source).await, fingerprint(Kind::New, &target).await);
    let report =
        assess(Plan::new(url(Kind::Old, &source, Login::Superuser), url(Kind::New, &target, Login::Superuser)))
            .await
            .unwrap();
    assert!(report.forbids_move());
    let after = (fingerprint(Kind::Old, &source).await, fingerprint(Kind::New, &target).await);
    assert_eq!(before, after);
}
