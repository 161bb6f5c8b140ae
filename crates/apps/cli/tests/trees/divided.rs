//! Trees that the target divides in another way from the beginning: other bounds and kinds, other orders of columns, columns
//! that were dropped, sub-trees for plain partitions and the other way round; rows and keys that pass between partitions.

use super::{assert_same, caught_up, done, refused};
use crate::support::Move;

const EXISTING: [&str; 1] = ["--existing-schema"];

const SOURCE: &str = "
CREATE TABLE item (id int, kind text, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE item_1 PARTITION OF item FOR VALUES FROM (0) TO (100);
CREATE TABLE item_2 (v text, gone int, kind text, id int NOT NULL PRIMARY KEY); ALTER TABLE item_2 DROP gone;
ALTER TABLE item ATTACH PARTITION item_2 FOR VALUES FROM (100) TO (200); CREATE TABLE item_rest PARTITION OF item DEFAULT;
CREATE TABLE deep (a int, b int, v text, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE deep_1 PARTITION OF deep FOR VALUES IN (1) PARTITION BY HASH (b);
CREATE TABLE deep_1_0 PARTITION OF deep_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE deep_1_1 PARTITION OF deep_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE deep_rest PARTITION OF deep DEFAULT;
CREATE TABLE spread (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE plain (id int PRIMARY KEY, kind text, v text);
CREATE TABLE keyless (k int, v text) PARTITION BY LIST (k); CREATE TABLE keyless_1 PARTITION OF keyless FOR VALUES IN (1); CREATE TABLE keyless_2 PARTITION OF keyless DEFAULT;
ALTER TABLE keyless_1 REPLICA IDENTITY FULL; ALTER TABLE keyless_2 REPLICA IDENTITY FULL;
INSERT INTO item SELECT n, 'k' || n % 4, 'v' || n FROM generate_series(0, 299) n; INSERT INTO deep SELECT n % 3, n, 'v' FROM generate_series(0, 199) n;
INSERT INTO spread SELECT n, 'v' FROM generate_series(0, 199) n; INSERT INTO plain SELECT n, 'k' || n % 4, 'v' FROM generate_series(0, 199) n;
INSERT INTO keyless SELECT n % 3, 'v' || n % 5 FROM generate_series(0, 99) n;";

/// Names of partitions that both have, with other bounds; one that only the target has; another order of columns everywhere.
const TARGET: &str = "
CREATE TABLE item (kind text, v text, id int, PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE item_1 (junk text, id int NOT NULL PRIMARY KEY, v text, kind text); ALTER TABLE item_1 DROP junk;
ALTER TABLE item ATTACH PARTITION item_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE item_other PARTITION OF item FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (id);
CREATE TABLE item_2 PARTITION OF item_other FOR VALUES FROM (0) TO (77); CREATE TABLE item_rest PARTITION OF item_other DEFAULT;
CREATE TABLE deep (v text, b int, a int, PRIMARY KEY (b, a));
CREATE TABLE spread (v text, id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES FROM (0) TO (50); CREATE TABLE spread_1 PARTITION OF spread DEFAULT;
CREATE TABLE plain (id int, v text, kind text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE plain_0 (kind text NOT NULL, junk int, v text, id int NOT NULL, PRIMARY KEY (id, kind)); ALTER TABLE plain_0 DROP junk;
ALTER TABLE plain ATTACH PARTITION plain_0 FOR VALUES IN ('k0', 'k1'); CREATE TABLE plain_rest PARTITION OF plain DEFAULT;
CREATE TABLE keyless (v text, k int) PARTITION BY RANGE (k); CREATE TABLE keyless_low PARTITION OF keyless FOR VALUES FROM (MINVALUE) TO (2);
CREATE TABLE keyless_2 PARTITION OF keyless DEFAULT;";

/// Rows pass between partitions of either side, keys too, within one transaction and over many; values that swap.
const CHANGES: &str = "
UPDATE item SET id = id + 1100 WHERE id BETWEEN 90 AND 99; UPDATE item SET id = 400 + id WHERE id = 5; UPDATE item SET kind = 'k9', v = v || '!' WHERE id % 7 = 0;
BEGIN; UPDATE item SET id = -1 WHERE id = 10; UPDATE item SET id = 10 WHERE id = 150; UPDATE item SET id = 150 WHERE id = -1; COMMIT;
BEGIN; DELETE FROM item WHERE id = 20; INSERT INTO item VALUES (20, 'k1', 'again'); UPDATE item SET id = 2210 WHERE id = 21; INSERT INTO item VALUES (21, 'n', 'n'); COMMIT;
UPDATE deep SET a = 1 WHERE a = 2 AND b < 50; UPDATE deep SET b = b + 1000 WHERE a = 1; UPDATE deep SET a = 5, v = 'moved' WHERE b BETWEEN 60 AND 80; DELETE FROM deep WHERE b % 11 = 0;
UPDATE spread SET id = id + 500 WHERE id % 3 = 0; UPDATE spread SET v = 'c' WHERE id % 5 = 0; DELETE FROM spread WHERE id BETWEEN 100 AND 110;
UPDATE plain SET kind = 'k3' WHERE kind = 'k0' AND id < 50; UPDATE plain SET kind = 'k0', id = id + 300 WHERE id BETWEEN 101 AND 120; DELETE FROM plain WHERE id = 3;
BEGIN; UPDATE plain SET id = 1000 WHERE id = 1; UPDATE plain SET id = 1, kind = 'k2' WHERE id = 2; UPDATE plain SET id = 2, kind = 'k7' WHERE id = 1000; COMMIT;
UPDATE keyless SET k = 2 WHERE k = 1 AND v = 'v1'; UPDATE keyless SET k = 1 WHERE k = 0 AND v = 'v2'; DELETE FROM keyless WHERE v = 'v3'; INSERT INTO keyless VALUES (1, 'v4'), (1, 'v4'), (7, NULL)";

const ALL: [&str; 5] = ["item", "deep", "spread", "plain", "keyless"];

fn divided(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", SOURCE).unwrap();
    shop.target.run_sql("shop", TARGET).unwrap();
    done(caught_up(&shop, &EXISTING));
    assert_same(&shop, &ALL);
    // Behind, in one group; then as it comes.
    shop.source.run_sql("shop", CHANGES).unwrap();
    done(caught_up(&shop, &EXISTING));
    assert_same(&shop, &ALL);
    let running = shop.follow(&EXISTING);
    shop.source
        .run_sql("shop", "UPDATE item SET id = id + 5000; UPDATE deep SET a = (a + 1) % 4, b = b + 5000; UPDATE plain SET kind = 'k' || id % 4; UPDATE keyless SET k = k % 3 + 1")
        .unwrap();
    let valid = shop.validate(&[]);
    assert_eq!(valid.code, Some(0), "{}\n{}", valid.stdout, valid.stderr);
    shop.target
        .run_sql("shop", "DELETE FROM item WHERE id % 50 = 7; UPDATE plain SET v = 'wrong' WHERE id = 30")
        .unwrap();
    assert_eq!(shop.validate(&[]).code, Some(3));
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    shop.done("finish", &EXISTING);
    assert_eq!(running.wait().code, Some(0));
    assert_same(&shop, &ALL);
}

#[test]
fn from_13_to_18_rows_pass_between_partitions_that_are_others_on_the_target() {
    divided(13, 18);
}

#[test]
fn from_18_to_18_rows_pass_between_partitions_that_are_others_on_the_target() {
    divided(18, 18);
}

/// With a partition that the target lacks, the tree goes into its root; that is emptied once, before any row comes.
#[test]
fn a_tree_of_which_the_target_has_some_partitions_only_goes_into_its_root_as_a_whole() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100);
             CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (100) TO (200); INSERT INTO t SELECT n, 'v' FROM generate_series(0, 150) n",
        )
        .unwrap();
    shop.target
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100);
             CREATE TABLE t_rest PARTITION OF t DEFAULT",
        )
        .unwrap();
    done(caught_up(&shop, &EXISTING));
    assert_same(&shop, &["t", "t_1"]);
    shop.source.run_sql("shop", "UPDATE t SET id = id + 50 WHERE id BETWEEN 60 AND 90 AND id % 10 = 3 AND false; DELETE FROM t WHERE id = 7").unwrap();
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["t", "t_1"]);
}

#[test]
fn a_new_partition_of_a_tree_that_is_divided_alike_has_to_be_made_on_the_target_first() {
    let shop = Move::between(13, 18);
    let tree = "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100);
                CREATE TABLE t_rest PARTITION OF t DEFAULT;";
    shop.source.run_sql("shop", &format!("{tree} INSERT INTO t SELECT n, 'v' FROM generate_series(0, 150) n")).unwrap();
    shop.target.run_sql("shop", tree).unwrap();
    done(caught_up(&shop, &EXISTING));
    let made = "CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (200) TO (300)";
    shop.source
        .run_sql("shop", &format!("{made}; INSERT INTO t SELECT n, 'new' FROM generate_series(200, 220) n"))
        .unwrap();
    let add: Vec<&str> = [&["--table", "public.t_2"], &EXISTING[..]].concat();
    refused(&shop.run("add-table", &add), "the target has no table public.t_2 like the source's");
    shop.target.run_sql("shop", made).unwrap();
    shop.done("add-table", &add);
    done(caught_up(&shop, &EXISTING));
    shop.source.run_sql("shop", "UPDATE t SET id = 250 WHERE id = 3; DELETE FROM t WHERE id = 210").unwrap();
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["t", "t_1", "t_2", "t_rest"]);
}
