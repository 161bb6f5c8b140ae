//! Another writer on the target at the same time: with the later row winning, both sides agree once it is quiet.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{POLICIES, counted, prepared};
use crate::support::{Move, eventually};

/// Upserts and deletes of rows that the other side writes to as well, each row with the time of its writing.
fn write(server: &atalaya_sandbox::Server, side: &str, seed: i32) {
    let sql = format!(
        "SET client_min_messages = error; SELECT setseed({seed} / 1000.0);
         DO $$ DECLARE k int; BEGIN FOR i IN 1..40 LOOP
             k := 1 + (random() * 60)::int;
             BEGIN
                 IF random() < 0.5 THEN
                     INSERT INTO latest_wins VALUES (k, '{side} {seed} ' || i, k, clock_timestamp(), 'small')
                         ON CONFLICT (id) DO UPDATE SET v = excluded.v, updated_at = excluded.updated_at;
                 ELSE
                     UPDATE latest_wins SET v = '{side} {seed} ' || i, updated_at = clock_timestamp() WHERE id = k;
                 END IF;
             EXCEPTION WHEN deadlock_detected OR unique_violation THEN NULL; END;
         END LOOP; END $$"
    );
    // A deadlock with the move may end it; the next one goes on.
    let _ended = server.run_sql("shop", &sql);
}

#[test]
fn under_latest_wins_every_row_ends_as_the_latest_of_both_sides_wrote_it() {
    let shop = prepared(16, 18);
    let mut running = shop.follow(&POLICIES);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            for seed in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                write(&shop.target, "target", seed);
            }
        });
        for seed in 0..25 {
            write(&shop.source, "source", seed);
        }
        stop.store(true, Ordering::Relaxed);
        theirs.join().unwrap();
    });
    // The source writes every row once more: later than anything that the target holds.
    shop.source
        .run_sql("shop", "UPDATE latest_wins SET v = 'last', updated_at = clock_timestamp() WHERE id % 2 = 0")
        .unwrap();
    let settled = |server: &atalaya_sandbox::Server| {
        server.run_sql("shop", "SELECT count(*) FROM latest_wins WHERE v = 'last'").unwrap()
    };
    eventually("the last rows have come", || {
        running.assert_alive();
        settled(&shop.target) == settled(&shop.source)
    });
    assert!(counted(&shop, "latest_wins").contains("update_differs target"), "nothing met anything");
    // Where they differ, the target's is the later one.
    let all = "SELECT id || ' ' || updated_at || ' ' || v FROM latest_wins ORDER BY id";
    let (source, target) = (lines(&shop, true, all), lines(&shop, false, all));
    assert_eq!(source.len(), target.len());
    let time = |line: &str| line.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" ");
    for (ours, theirs) in source.iter().zip(&target) {
        assert!(ours == theirs || time(theirs) > time(ours), "{ours} and {theirs}");
    }
    assert!(source.iter().zip(&target).any(|(ours, theirs)| ours != theirs), "the target never won");
}

fn lines(shop: &Move, of_source: bool, sql: &str) -> Vec<String> {
    let server = if of_source { &shop.source } else { &shop.target };
    server.run_sql("shop", sql).unwrap().lines().map(str::to_owned).collect()
}
