//! Columns that are added: followed where the catalog proves what rows from before have in them.

use super::{caught_up, columns, done, refused};
use crate::support::{Move, eventually};

const TABLES: &str = r#"
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'glad'); CREATE DOMAIN app.code AS varchar(5);
CREATE TABLE item (id int PRIMARY KEY, was text);
CREATE TABLE "Odd ""name""" (id int PRIMARY KEY, gone int); ALTER TABLE "Odd ""name""" DROP gone;
CREATE TABLE tree (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE tree_2 (at date NOT NULL, id int NOT NULL, PRIMARY KEY (id, at));
ALTER TABLE tree ATTACH PARTITION tree_2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
CREATE TABLE quiet (id int PRIMARY KEY);
INSERT INTO item SELECT n, 'w' || n FROM generate_series(1, 50) n; INSERT INTO "Odd ""name""" VALUES (1), (2);
INSERT INTO tree SELECT n, date '2020-06-01' + n * 100 FROM generate_series(1, 5) n;
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2); INSERT INTO quiet VALUES (1), (2), (3);
"#;

/// Rows before, between and after, in the transactions of the changes and in others.
const CHANGES: &[&str] = &[
    "INSERT INTO item VALUES (60, 'before'); ALTER TABLE item ADD plain int; UPDATE item SET plain = 7 WHERE id < 5",
    "BEGIN; UPDATE item SET was = 'in one' WHERE id = 6;
     ALTER TABLE item ADD word text NOT NULL DEFAULT 'it''s \\ new', ADD amount numeric(8,3) DEFAULT 1.5,
           ADD words text[] DEFAULT '{a,\"b c\",NULL}', ADD doc jsonb DEFAULT '{\"a\": [1, \"x\"]}';
     INSERT INTO item (id, word) VALUES (61, 'w'); UPDATE item SET amount = 2 WHERE id = 7; COMMIT",
    "ALTER TABLE item ADD at timestamptz DEFAULT now(), ADD mood app.mood DEFAULT 'glad', ADD code app.code DEFAULT 'x',
           ADD sorted text COLLATE \"C\" DEFAULT 'c', ADD empty text DEFAULT '', ADD raw bytea DEFAULT '\\x00ff',
           ADD moods app.mood[] DEFAULT '{sad}', ADD flag char(3) DEFAULT 'n';
     DELETE FROM item WHERE id = 8; INSERT INTO item (id) VALUES (62)",
    "ALTER TABLE item ADD later int DEFAULT 3; ALTER TABLE item ALTER later SET DEFAULT 4, ALTER later SET NOT NULL;
     INSERT INTO item (id) VALUES (63)",
    "ALTER TABLE \"Odd \"\"name\"\"\" ADD \"New Column\" text DEFAULT 'n'; INSERT INTO \"Odd \"\"name\"\"\" VALUES (3)",
    "ALTER TABLE tree ADD more int DEFAULT 9; INSERT INTO tree VALUES (10, '2021-05-05', 1); UPDATE tree SET more = 2 WHERE id = 1",
    "ALTER TABLE parent ADD more int DEFAULT 9; INSERT INTO child VALUES (5, 1); UPDATE ONLY parent SET more = 2",
    // Nothing of these tables is in the stream after them.
    "ALTER TABLE quiet ADD silent text DEFAULT 's'; ALTER TABLE quiet ADD nothing date",
];

fn columns_are_followed(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", TABLES).unwrap();
    let mut running = shop.follow(&[]);
    for change in CHANGES {
        running.assert_alive();
        shop.source.run_sql("shop", change).unwrap();
        eventually("both sides have the same columns", || {
            running.assert_alive();
            columns(&shop.source) == columns(&shop.target)
        });
    }
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
    // What the run has learnt is stored: the next one goes on from there, and the columns are known by now.
    shop.source
        .run_sql("shop", "UPDATE item SET later = 5; UPDATE tree SET more = 3; ALTER TABLE item ADD last int")
        .unwrap();
    done(&caught_up(&shop));
    assert_eq!(columns(&shop.source), columns(&shop.target));
    shop.done("finish", &[]);
    shop.assert_equal();
}

#[test]
fn from_13_to_18_columns_with_a_proven_default_are_followed() {
    columns_are_followed(13, 18);
}

#[test]
fn from_18_to_18_columns_with_a_proven_default_are_followed() {
    columns_are_followed(18, 18);
}

#[test]
fn several_changes_behind_are_followed_only_where_the_catalog_still_tells() {
    let shop = Move::between(15, 17);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);
             INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)",
        )
        .unwrap();
    done(&caught_up(&shop));
    // The catalog is ahead of the stream, and says the same of what is there.
    shop.source
        .run_sql("shop", "ALTER TABLE a ADD x int DEFAULT 1; ALTER TABLE a ADD y int; INSERT INTO a VALUES (2, 2, 2)")
        .unwrap();
    done(&caught_up(&shop));
    shop.assert_equal();
    // A column of the same name that is another one by now: its rows of then must not be taken for those of now.
    shop.source
        .run_sql(
            "shop",
            "ALTER TABLE b ADD x int DEFAULT 1; UPDATE b SET x = 2; ALTER TABLE b DROP x; ALTER TABLE b ADD x int DEFAULT 3",
        )
        .unwrap();
    let before = Move::digests(&shop.target);
    refused(&caught_up(&shop), "columns were added and dropped again");
    assert_eq!(before, Move::digests(&shop.target));
    // A default of its own for each row rewrites them all, and a rewrite hides what rows had before.
    shop.target.run_sql("shop", "ALTER TABLE b ADD x int DEFAULT 3").unwrap();
    shop.source.run_sql("shop", "ALTER TABLE c ADD x uuid DEFAULT gen_random_uuid()").unwrap();
    refused(&caught_up(&shop), "columns were added and dropped again");
}

#[test]
fn a_kill_after_the_column_and_before_its_commit_leaves_neither_and_loses_nothing() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1)",
        )
        .unwrap();
    done(&caught_up(&shop));
    // One with a row behind it, one without.
    for change in
        ["ALTER TABLE a ADD x int DEFAULT 1; INSERT INTO a VALUES (2, 2)", "ALTER TABLE b ADD x int DEFAULT 1"]
    {
        let before = columns(&shop.target);
        shop.source.run_sql("shop", change).unwrap();
        let killed = shop
            .spawn_with("start", &["--stop-when", "caught-up"], &[("ATALAYA_FAILPOINT", "schema-followed:1")])
            .wait();
        assert_eq!(killed.signal, Some(9), "{}", killed.stderr);
        assert_eq!(before, columns(&shop.target));
        done(&caught_up(&shop));
        assert_eq!(columns(&shop.source), columns(&shop.target));
    }
    shop.assert_equal();
}
