//! A look ahead at what was written, while clients still write, and the proof at rest behind it.

use atalaya_sandbox::Server;
use atalaya_validate::{LookedAhead, RestProof, RestReport};

use super::field::{assert_comes_equal, with_way_back, writes};
use super::leading::{LIMIT, plan, session};
use crate::support::Move;

/// A change of the target that no change of the source explains, and that the way back takes for the move's own.
fn plant(target: &Server, value: &str, id: u32) {
    let sql = format!(
        "BEGIN; UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = 'shop' AND writer = 0;
         UPDATE whole SET v = '{value}' WHERE id = {id}; COMMIT"
    );
    target.run_sql("shop", &sql).unwrap();
}

fn value(shop: &Move, id: u32) -> String {
    shop.source.run_sql("shop", &format!("SELECT v FROM whole WHERE id = {id}")).unwrap().trim().to_owned()
}

fn differing(report: &RestReport) -> Vec<&str> {
    report.different.iter().map(|table| table.target.name.as_str()).collect()
}

fn prove(shop: &Move) {
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
}

#[tokio::test]
async fn what_was_found_equal_ahead_is_compared_at_rest_only_where_it_was_written_since() {
    let (shop, mut running) = with_way_back(15, 17);
    prove(&shop);
    let mut at_rest = RestProof::prepare(plan(&shop.source_url, &shop.target_url), 10_000).await.unwrap();
    shop.source.run_sql("shop", &writes(1)).unwrap();
    assert_comes_equal(&shop, &mut running);
    plant(&shop.target, "planted", 2);
    let looked = at_rest.look_ahead(LIMIT).await.unwrap().unwrap();
    assert!(looked.keys > 10 && looked.open == 1, "{looked:?}");
    let found = at_rest.pass(LIMIT).await.unwrap();
    assert_eq!(differing(&found), ["whole"], "{found:?}");
    plant(&shop.target, &value(&shop, 2), 2);
    let clean = at_rest.pass(LIMIT).await.unwrap();
    assert!(clean.is_clean() && clean.keys == 1, "what was not equal is looked at again: {clean:?}");
    assert_eq!(at_rest.look_ahead(LIMIT).await.unwrap(), Some(LookedAhead { keys: 1, open: 0 }));
    let clean = at_rest.pass(LIMIT).await.unwrap();
    assert!(clean.is_clean() && clean.keys == 0, "{clean:?}");

    // Keys that were noted and looked at before.
    shop.source.run_sql("shop", "UPDATE whole SET v = 'again' WHERE id IN (4, 6)").unwrap();
    assert_comes_equal(&shop, &mut running);
    plant(&shop.target, "planted", 4);
    let found = at_rest.pass(LIMIT).await.unwrap();
    assert_eq!(differing(&found), ["whole"], "{found:?}");
    plant(&shop.target, "again", 4);
    let clean = at_rest.pass(LIMIT).await.unwrap();
    assert!(clean.is_clean() && clean.keys == 2, "{clean:?}");
}

#[tokio::test]
async fn nothing_is_taken_for_equal_ahead_while_the_source_may_show_less_than_was_applied() {
    let (shop, mut running) = with_way_back(13, 18);
    prove(&shop);
    let mut at_rest = RestProof::prepare(plan(&shop.source_url, &shop.target_url), 10_000).await.unwrap();
    shop.source.run_sql("shop", &writes(1)).unwrap();
    assert_comes_equal(&shop, &mut running);
    let open = session(&shop.source_url).await;
    open.batch("BEGIN; INSERT INTO public.whole VALUES (900, 'open')").await.unwrap();
    assert_eq!(at_rest.look_ahead(LIMIT).await.unwrap(), None);
    let all = at_rest.pass(LIMIT).await.unwrap();
    assert!(all.is_clean() && all.keys > 10, "{all:?}");
    open.batch("ROLLBACK").await.unwrap();
    let looked = at_rest.look_ahead(LIMIT).await.unwrap().unwrap();
    assert!(looked.keys > 10 && looked.open == 0, "{looked:?}");
}
