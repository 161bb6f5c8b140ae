//! Proofs and repairs while large transactions come one after the other: each fence leaves out exactly what commits
//! after it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{between, count, open, streamed};
use crate::support::eventually;

#[test]
fn fences_among_large_transactions_find_no_difference_and_repairs_put_one_right() {
    let shop = between(16, 18);
    let schema =
        "CREATE TABLE item (id bigserial PRIMARY KEY, writer int, v text); CREATE TABLE done (id int PRIMARY KEY)";
    shop.source.run_sql("shop", schema).unwrap();
    let mut running = shop.follow(&[]);
    let (ended, committed) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let session = open(&shop);
            let (ended, committed) = (&ended, &committed);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let insert =
                        format!("INSERT INTO item (writer, v) SELECT {writer}, 'new' FROM generate_series(1, 1000)");
                    session.run(&insert).unwrap();
                    let update = format!("UPDATE item SET v = 'rolled back' WHERE id % 3 = 0 AND writer = {writer}");
                    session.run(&format!("SAVEPOINT s; {update}")).unwrap();
                    session.run(&format!("{insert}; ROLLBACK TO s; {insert}")).unwrap();
                    session
                        .run(&format!("DELETE FROM item WHERE writer = {writer} AND id % 2 = 0; COMMIT; BEGIN"))
                        .unwrap();
                    committed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let more = |than: u32| eventually("more commits", || committed.load(Ordering::Relaxed) > than);
        for _ in 0..3 {
            more(committed.load(Ordering::Relaxed));
            let proof = shop.validate(&[]);
            if proof.code != Some(0) {
                ended.store(true, Ordering::Relaxed);
            }
            assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
        }
        let wrong = "UPDATE item SET v = 'wrong' WHERE id = (SELECT min(id) FROM item)";
        shop.target.run_sql("shop", wrong).unwrap();
        let repaired = shop.validate(&["--repair"]);
        ended.store(true, Ordering::Relaxed);
        assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    });
    running.assert_alive();
    shop.source.run_sql("shop", "INSERT INTO done VALUES (1)").unwrap();
    eventually("everything", || count(&shop, "done") == 1);
    shop.assert_equal();
    assert!(streamed(&shop) >= u64::from(committed.load(Ordering::Relaxed)));
}
