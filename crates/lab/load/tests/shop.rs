//! The shop is the same on every version, of its size, and has what it promises.

use std::collections::BTreeMap;

use atalaya_load::shop::{ShopSize, create, create_with_progress};
use atalaya_postgres::Session;
use atalaya_sandbox::ServerOptions;

use crate::lab::Lab;

/// A number for the rows of each table, whatever their order.
async fn contents(session: &Session) -> BTreeMap<String, (i64, String)> {
    let tables = session
        .query(
            "SELECT oid::regclass::text FROM pg_class
             WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r'",
            &[],
        )
        .await
        .unwrap();
    let mut contents = BTreeMap::new();
    for table in tables {
        let name: String = table.get(0);
        let sql = format!("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM ONLY {name} t");
        let row = session.query_one(&sql, &[]).await.unwrap();
        contents.insert(name, (row.get(0), row.get(1)));
    }
    contents
}

#[tokio::test]
async fn a_size_makes_equal_data_on_the_oldest_and_the_newest_version() {
    let mut seen = Vec::new();
    for major in [13, 18] {
        let lab = Lab::start(ServerOptions::new(major)).await;
        create(&lab.session, ShopSize::of_bytes(8 << 20)).await.unwrap();
        seen.push(contents(&lab.session).await);
    }
    assert!(seen[0].len() > 12);
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn every_version_between_takes_a_tiny_shop_and_another_seed_is_another_shop() {
    for major in [14, 15, 16, 17] {
        let lab = Lab::start(ServerOptions::new(major)).await;
        let size = ShopSize::of_bytes(1 << 20);
        create(&lab.session, size).await.unwrap();
        let first = contents(&lab.session).await;
        lab.session.batch("DROP SCHEMA shop CASCADE").await.unwrap();
        create(&lab.session, ShopSize { seed: 2, ..size }).await.unwrap();
        let second = contents(&lab.session).await;
        assert_ne!(first["shop.customer"], second["shop.customer"]);
        assert_ne!(first["shop.document"], second["shop.document"]);
    }
}

#[tokio::test]
async fn a_shop_comes_near_the_bytes_asked_for_and_tells_each_table() {
    let lab = Lab::start(ServerOptions::new(18)).await;
    let target = 60 << 20;
    let mut stages = Vec::new();
    let totals = create_with_progress(&lab.session, ShopSize::of_bytes(target), |progress| {
        stages.push(progress.stage);
    })
    .await
    .unwrap();
    let near = target * 4 / 5..target * 6 / 5;
    assert!(near.contains(&totals.bytes), "{totals:?}");
    assert_eq!(stages[0], "category");
    assert_eq!(stages.last(), Some(&"keys and indexes"));
    assert!(stages.contains(&"document"));
}

#[tokio::test]
async fn a_shop_has_what_a_move_stumbles_over() {
    let lab = Lab::start(ServerOptions::new(13)).await;
    create(&lab.session, ShopSize::of_bytes(5 << 20)).await.unwrap();
    let classes = "FROM pg_class c WHERE relnamespace = 'shop'::regnamespace AND";
    for (what, sql, least) in [
        ("keyless with full identity", format!("{classes} relreplident = 'f'"), 1),
        ("identity by an index", format!("{classes} relreplident = 'i'"), 1),
        ("partitioned", format!("{classes} relkind = 'p'"), 3),
        ("materialized view", format!("{classes} relkind = 'm'"), 1),
        (
            "sequence of no table",
            format!(
                "{classes} relkind = 'S' AND NOT EXISTS
                 (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i'))"
            ),
            1,
        ),
        (
            "generated and identity columns",
            "FROM pg_attribute WHERE attgenerated = 's' OR attidentity IN ('a', 'd')".to_owned(),
            4,
        ),
        ("deferred key", "FROM pg_constraint WHERE condeferred".to_owned(), 1),
        ("values of 1 MB", "FROM shop.document WHERE pg_column_size(content) > 1000000".to_owned(), 2),
        (
            "equal rows without a key",
            "FROM (SELECT 1 FROM shop.audit_log GROUP BY at, actor, action, details, numbers, ticket
                   HAVING count(*) > 1) x"
                .to_owned(),
            1,
        ),
    ] {
        let count = lab.number(&format!("SELECT count(*) {sql}")).await;
        assert!(count >= least, "{what}: {count}");
    }
}

#[tokio::test]
async fn a_second_shop_is_refused_and_leaves_the_first_alone() {
    let lab = Lab::start(ServerOptions::new(15)).await;
    create(&lab.session, ShopSize::of_bytes(5 << 20)).await.unwrap();
    let before = contents(&lab.session).await;
    create(&lab.session, ShopSize::of_bytes(5 << 20)).await.unwrap_err();
    assert_eq!(contents(&lab.session).await, before);
}
