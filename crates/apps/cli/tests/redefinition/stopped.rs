//! What is not followed stops the run, with or without a row that tells of it.

use super::{caught_up, columns, done, refused};
use crate::support::Move;

/// Changes of one table each, what the run says, and what makes the target alike.
const CHANGES: &[(&str, &str, &str)] = &[
    ("ALTER TABLE a DROP x", "column `x` was dropped", "ALTER TABLE a DROP x"),
    ("ALTER TABLE a RENAME y TO z", "column `y` is called `z` now", "ALTER TABLE a RENAME y TO z"),
    (
        "CREATE TYPE fresh AS ENUM ('a'); ALTER TABLE a ADD f fresh",
        "its new columns cannot be made on the target",
        "CREATE TYPE fresh AS ENUM ('a')",
    ),
];

fn changes_stop_and_go_on(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY, x int, y int); CREATE TABLE b (id int PRIMARY KEY, price numeric(10,2));
             INSERT INTO a SELECT n, n, n FROM generate_series(1, 9) n; INSERT INTO b VALUES (1, 1.5)",
        )
        .unwrap();
    done(&caught_up(&shop));
    for (number, (change, because, remedy)) in CHANGES.iter().enumerate() {
        // Every other one has a row that tells of it.
        let row = if number % 2 == 0 { "" } else { "; INSERT INTO a (id) VALUES (100)" };
        shop.source.run_sql("shop", &format!("{change}{row}")).unwrap();
        let before = Move::digests(&shop.target);
        refused(&caught_up(&shop), because);
        assert_eq!(before, Move::digests(&shop.target));
        shop.target.run_sql("shop", remedy).unwrap();
        done(&caught_up(&shop));
        assert_eq!(columns(&shop.source), columns(&shop.target));
    }
    shop.assert_equal();
    shop.source.run_sql("shop", "ALTER TABLE b ALTER price TYPE numeric(12,4)").unwrap();
    refused(&caught_up(&shop), "column `price` has another type than before");
    shop.source.run_sql("shop", "ALTER TABLE b ALTER price TYPE numeric(10,2)").unwrap();
    done(&caught_up(&shop));
    // By hand with fewer digits than on the source.
    shop.target.run_sql("shop", "ALTER TABLE b ADD more numeric(4,1)").unwrap();
    shop.source.run_sql("shop", "ALTER TABLE b ADD more numeric(6,3); UPDATE b SET more = 1.234").unwrap();
    refused(&caught_up(&shop), "column `more` is declared otherwise than on the target");
    shop.target.run_sql("shop", "ALTER TABLE b DROP more").unwrap();
    done(&caught_up(&shop));
    shop.source.run_sql("shop", "ALTER TABLE b RENAME TO c").unwrap();
    refused(&caught_up(&shop), "it is called public.c now");
    shop.source.run_sql("shop", "ALTER TABLE c RENAME TO b").unwrap();
    // Without an identity the source's own statements fail: nothing is lost, but somebody must know.
    shop.source.run_sql("shop", "ALTER TABLE b DROP CONSTRAINT b_pkey").unwrap();
    let told = caught_up(&shop);
    assert!(told.stderr.contains("table public.b has lost its replica identity"), "{}", told.stderr);
    shop.source.run_sql("shop", "ALTER TABLE b REPLICA IDENTITY FULL; UPDATE b SET more = 2").unwrap();
    done(&caught_up(&shop));
    shop.assert_equal();
}

#[test]
fn from_13_to_18_changes_stop_with_what_to_do() {
    changes_stop_and_go_on(13, 18);
}

#[test]
fn from_18_to_18_changes_stop_with_what_to_do() {
    changes_stop_and_go_on(18, 18);
}
