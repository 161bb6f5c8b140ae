//! Tables and columns that are others than before, under the same names.

use super::{caught_up, refused};
use crate::support::Move;

/// Two tables alike, moved and followed.
fn moved() -> Move {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY, x int, y int, price numeric(10,2), at timestamp(0));
             CREATE TABLE b (LIKE a INCLUDING ALL);
             INSERT INTO a SELECT n, n, -n, n, now() FROM generate_series(1, 10) n;
             INSERT INTO b SELECT n, 0, 0, 0, now() FROM generate_series(1, 10) n",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop
}

/// The change, then a row of each table; the run has to refuse and the target to stay as it was.
fn change(sql: &str) -> (Move, crate::support::Ran) {
    let shop = moved();
    let before = Move::digests(&shop.target);
    shop.source.run_sql("shop", sql).unwrap();
    shop.source.run_sql("shop", "INSERT INTO a (id) VALUES (100); INSERT INTO b (id) VALUES (200)").unwrap();
    let ran = caught_up(&shop, &[]);
    assert_eq!(before, Move::digests(&shop.target));
    (shop, ran)
}

#[test]
fn tables_that_swap_their_names() {
    let (_shop, ran) =
        change("BEGIN; ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b; COMMIT");
    refused(&ran, "another table has taken its name");
}

#[test]
fn columns_that_swap_their_names() {
    let (_shop, ran) =
        change("BEGIN; ALTER TABLE a RENAME x TO z; ALTER TABLE a RENAME y TO x; ALTER TABLE a RENAME z TO y; COMMIT");
    refused(&ran, "another one of the same name");
}

#[test]
fn a_column_dropped_and_made_again() {
    let (_shop, ran) = change("ALTER TABLE a DROP at; ALTER TABLE a ADD at timestamp(0)");
    refused(&ran, "another one of the same name");
}

#[test]
fn a_type_with_more_digits_than_the_target_keeps() {
    let (_shop, ran) = change("ALTER TABLE a ALTER price TYPE numeric(14,6), ALTER at TYPE timestamp(6)");
    refused(&ran, "another type than before");
}

#[test]
fn a_column_added_on_both_sides_is_followed_whatever_came_before_it() {
    let shop = moved();
    shop.source
        .run_sql(
            "shop",
            "UPDATE a SET x = 7 WHERE id = 7; ALTER TABLE a ADD more int DEFAULT 5;
             INSERT INTO a (id, more) VALUES (100, 6)",
        )
        .unwrap();
    shop.target.run_sql("shop", "ALTER TABLE a ADD more int DEFAULT 5").unwrap();
    let ran = caught_up(&shop, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    shop.assert_equal();
}

#[test]
fn a_table_that_is_published_no_more() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE log (line text); INSERT INTO log VALUES ('a')",
        )
        .unwrap();
    let append = ["--append-only", "public.log"];
    assert_eq!(caught_up(&shop, &append).code, Some(0));
    let publication = shop.status()["slot"]["name"].as_str().unwrap().to_owned();
    // The other publication is still there.
    shop.source.run_sql("shop", &format!("DROP PUBLICATION {publication}; INSERT INTO a VALUES (1)")).unwrap();
    refused(&caught_up(&shop, &append), "does not publish every change");
}

#[test]
fn a_table_that_was_not_published_for_a_while_or_is_published_in_part() {
    for (name, meddled) in [
        (
            "out and in again",
            "ALTER PUBLICATION {p} DROP TABLE a; INSERT INTO a VALUES (2); ALTER PUBLICATION {p} ADD TABLE ONLY a",
        ),
        ("a row filter", "ALTER PUBLICATION {p} SET TABLE ONLY a WHERE (id > 5), ONLY b; INSERT INTO a VALUES (3)"),
    ] {
        let shop = Move::between(15, 18);
        shop.source
            .run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
            .unwrap();
        assert_eq!(caught_up(&shop, &[]).code, Some(0), "{name}");
        shop.source.run_sql("shop", "INSERT INTO a VALUES (1)").unwrap();
        assert_eq!(caught_up(&shop, &[]).code, Some(0), "{name}");
        let publication = shop.status()["slot"]["name"].as_str().unwrap().to_owned();
        shop.source.run_sql("shop", &meddled.replace("{p}", &publication)).unwrap();
        refused(&caught_up(&shop, &[]), "or did not for a while");
    }
}

#[test]
fn a_table_dropped_on_both_sides_does_not_keep_the_move_from_its_end() {
    let shop = moved();
    shop.source.run_sql("shop", "DROP TABLE b").unwrap();
    let told = caught_up(&shop, &[]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stderr.contains("public.b is gone from the source"), "{}", told.stderr);
    let ran = shop.run("finish", &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    shop.target.run_sql("shop", "DROP TABLE b").unwrap();
    shop.done("finish", &[]);
    shop.assert_equal();
}
