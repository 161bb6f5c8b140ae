//! How many transactions of the source go into one of the target.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;

use crate::support::{Move, eventually};

const COMMITS: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_piled_up_is_applied_in_few_transactions() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY)").unwrap();
    let _running = shop.follow(&[]);
    let number = |sql: &str| -> u64 { shop.target.run_sql("shop", sql).unwrap().trim().parse().unwrap() };
    let progress = |column: &str| number(&format!("SELECT {column} FROM atalaya.progress WHERE writer = 0"));
    let (groups, transactions) = (progress("marker"), progress("transactions"));
    let session = async |url| Session::connect(&ConnectionUrl::parse(url).unwrap(), "test").await.unwrap();
    let (source, target) = (session(&shop.source_url).await, session(&shop.target_url).await);
    // Nothing can be applied, while each commit arrives by itself: a source with nothing more to send says so between.
    target.batch("BEGIN; LOCK TABLE public.item").await.unwrap();
    for id in 0..COMMITS {
        source.batch(&format!("INSERT INTO public.item VALUES ({id})")).await.unwrap();
    }
    eventually("waiting", || number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0);
    let sent = "SELECT bool_and(sent_lsn >= pg_current_wal_insert_lsn()) FROM pg_stat_replication";
    eventually("everything has piled up", || shop.source.run_sql("shop", sent).unwrap() == "t");
    target.batch("COMMIT").await.unwrap();
    eventually("applied", || progress("transactions") >= transactions + COMMITS);
    let groups = progress("marker") - groups;
    assert!(groups < COMMITS / 20, "{groups} transactions of the target for {COMMITS} of the source");
    shop.assert_equal();
}
