//! What neither the catalog nor a row tells of: rewrites with other values, a table made again under its name.

use super::{assert_nothing_of_ours, caught_up, done, refused, with_trigger};
use crate::support::{Move, eventually};

/// What makes both sides alike again after a rewrite.
fn copy_again(shop: &Move, change: &str) {
    shop.target.run_sql("shop", change).unwrap();
    shop.done("add-table", &["--table", "public.a", "--again"]);
    done(caught_up(shop));
    shop.assert_equal();
}

fn rewrites_stop(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY, v int, doubled int GENERATED ALWAYS AS (v * 2) STORED);
             INSERT INTO a SELECT n, n FROM generate_series(1, 20) n; CREATE TABLE b (id int PRIMARY KEY)",
        )
        .unwrap();
    done(with_trigger(&shop));
    let change = "ALTER TABLE a DROP doubled, ALTER v TYPE int USING v + 7000";
    shop.source.run_sql("shop", &format!("INSERT INTO b VALUES (1); {change}; INSERT INTO b VALUES (2)")).unwrap();
    let said = refused(
        caught_up(&shop),
        &["its rows were rewritten with other values", "(by `", "add-table --table public.a --again"],
    );
    assert!(!said.contains("7000"), "{said}");
    refused(caught_up(&shop), &["its rows were rewritten with other values"]);
    copy_again(&shop, "ALTER TABLE a DROP doubled");

    // The same rewrite of a column that every row has by its expression.
    let generated = "ALTER TABLE a ADD tripled int GENERATED ALWAYS AS (v * 3) STORED";
    shop.source.run_sql("shop", &format!("{generated}; UPDATE a SET v = 1 WHERE id = 1")).unwrap();
    done(caught_up(&shop));
    shop.target.run_sql("shop", generated).unwrap();
    shop.assert_equal();
    if from >= 17 {
        let expression = "ALTER TABLE a ALTER tripled SET EXPRESSION AS (v * 4)";
        shop.source.run_sql("shop", expression).unwrap();
        refused(caught_up(&shop), &["its rows were rewritten with other values", "SET EXPRESSION AS (v * ?)"]);
        copy_again(&shop, expression);
    }
    // A default of its own for each row, told by the column that came.
    let own = "ALTER TABLE a ADD tag uuid DEFAULT gen_random_uuid()";
    shop.source.run_sql("shop", own).unwrap();
    refused(caught_up(&shop), &["column `tag` was added and the table rewritten", own]);
    copy_again(&shop, own);
    // Rows elsewhere, with the same values.
    shop.source.run_sql("shop", "VACUUM FULL a; CLUSTER a USING a_pkey; UPDATE a SET v = 2 WHERE id = 2").unwrap();
    done(caught_up(&shop));
    shop.assert_equal();
    let schema = shop.validate(&["--schema"]);
    assert!(!schema.stdout.contains("atalaya"), "{}", schema.stdout);
    shop.done("finish", &[]);
    shop.assert_equal();
    assert_nothing_of_ours(&shop.source);
}

#[test]
fn from_14_to_18_rewrites_with_other_values_stop() {
    rewrites_stop(14, 18);
}

#[test]
fn from_18_to_18_rewrites_with_other_values_stop() {
    rewrites_stop(18, 18);
}

const TABLE: &str = "CREATE TABLE a (id int PRIMARY KEY, v text)";

fn a_table_made_again_stops(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source
        .run_sql("shop", &format!("{TABLE}; INSERT INTO a VALUES (1, 'old'); CREATE TABLE b (id int PRIMARY KEY)"))
        .unwrap();
    let running = shop.follow(&["--ddl-trigger"]);
    let again =
        format!("BEGIN; DROP TABLE a; {TABLE}; INSERT INTO a VALUES (2, 'new'); COMMIT; INSERT INTO b VALUES (1)");
    shop.source.run_sql("shop", &again).unwrap();
    refused(
        running.wait(),
        &["table public.a has changed on the source", "another table has taken its name", "DROP TABLE a"],
    );
    shop.done("add-table", &["--table", "public.a", "--again"]);
    done(caught_up(&shop));
    shop.source.run_sql("shop", "INSERT INTO a VALUES (3, 'newer'); UPDATE a SET v = 'newest' WHERE id = 2").unwrap();
    done(caught_up(&shop));
    shop.assert_equal();

    // Told when it goes; stopped at when another takes its place.
    let mut running = shop.follow(&[]);
    shop.source.run_sql("shop", "DROP TABLE a").unwrap();
    eventually("the drop is told", || {
        running.assert_alive();
        running.stderr().contains("table public.a was dropped on the source by `DROP TABLE a`")
    });
    shop.source.run_sql("shop", "CREATE TABLE c (id int PRIMARY KEY, v text); ALTER TABLE c RENAME TO a").unwrap();
    refused(running.wait(), &["another table has taken its name", "ALTER TABLE c RENAME TO a"]);
    shop.source.run_sql("shop", "INSERT INTO a VALUES (9, 'third')").unwrap();
    shop.done("add-table", &["--table", "public.a", "--again"]);
    done(caught_up(&shop));
    shop.source.run_sql("shop", "DELETE FROM a; INSERT INTO a VALUES (10, 'last')").unwrap();
    shop.done("finish", &[]);
    shop.assert_equal();
    assert_nothing_of_ours(&shop.source);
}

#[test]
fn from_14_to_18_a_table_made_again_under_its_name_stops() {
    a_table_made_again_stops(14, 18);
}

#[test]
fn from_18_to_18_a_table_made_again_under_its_name_stops() {
    a_table_made_again_stops(18, 18);
}

#[test]
fn tables_that_swap_their_names_stop_at_the_statement() {
    let shop = Move::between(16, 18);
    shop.source.run_sql("shop", &format!("{TABLE}; {}", TABLE.replace(" a ", " b "))).unwrap();
    done(with_trigger(&shop));
    shop.source
        .run_sql(
            "shop",
            "BEGIN; ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b; COMMIT",
        )
        .unwrap();
    refused(caught_up(&shop), &["table-redefined", "RENAME TO"]);
}
