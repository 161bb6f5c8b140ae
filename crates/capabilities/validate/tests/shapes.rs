//! Tables of every shape: partitions, nullable keys, wide rows, other collations and encodings, other columns.

use crate::support::{Databases, run, shorts, table};
use atalaya_validate::{TableFilter, TableStatus};

#[test]
fn a_partition_tree_is_compared_whatever_its_partitions_are() {
    let databases = Databases::new();
    let rows = "INSERT INTO orders SELECT i, i % 300, 'o' || i FROM generate_series(1, 3000) i; ANALYZE";
    databases.run_source(
        "CREATE TABLE orders (id int, day int, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (100);
         CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (100) TO (300)",
    );
    databases.run_target(
        "CREATE TABLE orders (what text, id int, day int, PRIMARY KEY (day, id)) PARTITION BY HASH (day);
         CREATE TABLE orders_a PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE orders_b PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    );
    databases.run_source(rows);
    databases.run_target(&rows.replace("i, i % 300, 'o' || i", "'o' || i, i, i % 300"));
    let report = run(&databases.plan()).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.tables.len(), report.totals.source_rows), (1, 3000));
    databases.run_target("UPDATE orders SET what = '' WHERE id = 299; DELETE FROM orders WHERE id = 300");
    let report = run(&databases.plan()).unwrap();
    assert_eq!(shorts(table(&report, "orders")), ["different 299/299 [what]", "missing 300/0 []"]);
}

#[test]
fn a_partition_is_compared_with_its_root_and_never_by_itself() {
    let databases = Databases::new();
    databases.run_both(
        "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (10);
         CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (10) TO (20);
         INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 19) i",
    );
    databases.run_target("DELETE FROM t WHERE id = 15");
    let mut plan = databases.plan();
    plan.tables = TableFilter::new(|name| name.name == "t");
    let report = run(&plan).unwrap();
    assert_eq!(report.tables.len(), 1);
    assert_eq!(shorts(table(&report, "t")), ["missing 15 []"]);
    plan.tables = TableFilter::new(|name| name.name != "t");
    assert!(matches!(run(&plan), Err(atalaya_validate::Error::NothingMatches)));
}

#[test]
fn children_by_inheritance_are_tables_of_their_own() {
    let databases = Databases::new();
    databases.run_both(
        "CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
         INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3)",
    );
    let report = run(&databases.plan()).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.totals.source_rows, 3);
}

#[test]
fn rows_under_a_nullable_unique_key_are_counted_as_a_multiset() {
    let databases = Databases::new();
    databases.run_both(
        "CREATE TABLE nullable (a int, b int, v text, UNIQUE (a, b));
         INSERT INTO nullable SELECT nullif(i % 10, 0), NULL, 'v' FROM generate_series(1, 200) i",
    );
    assert!(run(&databases.plan()).unwrap().is_clean());
    databases.run_target("DELETE FROM nullable WHERE ctid IN (SELECT ctid FROM nullable WHERE a IS NULL LIMIT 2)");
    let report = run(&databases.plan()).unwrap();
    let nullable = table(&report, "nullable");
    assert_eq!((nullable.missing, nullable.extra, nullable.different), (2, 0, 0));
}

#[test]
fn wide_values_and_many_columns_are_compared_whole() {
    let databases = Databases::new();
    let columns: Vec<String> = (0..1200).map(|number| format!("c{number} int DEFAULT {number}")).collect();
    databases.run_both(&format!(
        "CREATE TABLE broad (id int PRIMARY KEY, {});
         INSERT INTO broad (id) SELECT generate_series(1, 20);
         CREATE TABLE long (id int PRIMARY KEY, v text, w bytea);
         INSERT INTO long SELECT i, repeat(md5(i::text), 40000), decode(repeat(md5(i::text), 40000), 'hex') FROM generate_series(1, 6) i",
        columns.join(", ")
    ));
    assert!(run(&databases.plan()).unwrap().is_clean());
    databases.run_target(
        "UPDATE broad SET c1199 = NULL WHERE id = 7; UPDATE long SET v = v || ' ' WHERE id = 3;
         UPDATE long SET w = set_byte(w, 600000, 255 - get_byte(w, 600000)) WHERE id = 5",
    );
    let mut plan = databases.plan();
    plan.show_values = true;
    let report = run(&plan).unwrap();
    assert_eq!(shorts(table(&report, "broad")), ["different 7 [c1199]"]);
    assert_eq!(shorts(table(&report, "long")), ["different 3 [v]", "different 5 [w]"]);
    let shown = table(&report, "long").findings[0].columns[0].values.clone().unwrap();
    assert!(shown.source.unwrap().len() <= 500);
}

#[test]
fn binary_strings_are_told_from_each_other_from_null_and_from_their_own_text() {
    let databases = Databases::new();
    databases.run_both(
        "CREATE TABLE files (name bytea PRIMARY KEY, content bytea);
         INSERT INTO files SELECT decode(md5(i::text), 'hex'), nullif(decode(repeat('00', i % 5), 'hex'), '\\x') FROM generate_series(1, 100) i;
         CREATE TABLE bag (content bytea);
         INSERT INTO bag VALUES (NULL), (''), ('\\x00'), ('\\x00')",
    );
    // The same text, by a type of another kind.
    databases.run_source(
        "CREATE TABLE texts (id int PRIMARY KEY, v bytea); INSERT INTO texts VALUES (1, '\\x00ff'), (2, NULL)",
    );
    databases.run_target(
        "CREATE TABLE texts (id int PRIMARY KEY, v text); INSERT INTO texts VALUES (1, '\\x00ff'), (2, NULL)",
    );
    assert!(run(&databases.plan()).unwrap().is_clean());
    databases.run_target(
        "UPDATE files SET content = '' WHERE name = decode(md5('5'), 'hex');
         UPDATE files SET content = '\\x0000' WHERE name = decode(md5('6'), 'hex');
         UPDATE bag SET content = '' WHERE content IS NULL; UPDATE texts SET v = '\\x00fe' WHERE id = 1",
    );
    let report = run(&databases.plan()).unwrap();
    let keys = ["1679091c5a880faf6fb5e6087eb1b2dc", "e4da3b7fbbce2345d7772b0674a318d5"];
    assert_eq!(shorts(table(&report, "files")), keys.map(|key| format!("different \\x{key} [content]")));
    let bag = table(&report, "bag");
    assert_eq!((bag.missing, bag.extra, bag.different), (1, 1, 0));
    assert_eq!(shorts(table(&report, "texts")), ["different 1 [v]"]);
}

#[test]
fn other_collations_on_both_sides_make_no_difference() {
    let databases = Databases::with_options(
        "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
        "TEMPLATE template0 LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'",
    );
    databases.run_both(
        "CREATE TABLE names (name text PRIMARY KEY, v text);
         INSERT INTO names SELECT w || i, w FROM generate_series(1, 500) i, unnest(ARRAY['a', 'A', '_', 'ä', 'Z z', 'é', '-']) w",
    );
    assert!(run(&databases.plan()).unwrap().is_clean());
    databases.run_target("DELETE FROM names WHERE name = 'ä7'; UPDATE names SET v = 'E' WHERE name = 'é8'");
    let report = run(&databases.plan()).unwrap();
    assert_eq!(shorts(table(&report, "names")), ["different é8 [v]", "missing ä7 []"]);
}

#[test]
fn another_encoding_is_compared_as_utf8() {
    let databases = Databases::with_options("TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", "");
    databases.run_both("CREATE TABLE words (id int PRIMARY KEY, w text)");
    databases.run_both("INSERT INTO words SELECT i, 'Größe ' || i FROM generate_series(1, 100) i");
    assert!(run(&databases.plan()).unwrap().is_clean());
    databases.run_target("UPDATE words SET w = 'Grösse 5' WHERE id = 5");
    let report = run(&databases.plan()).unwrap();
    assert_eq!(shorts(table(&report, "words")), ["different 5 [w]"]);
}

#[test]
fn tables_and_columns_that_one_side_lacks_are_differences() {
    let databases = Databases::new();
    databases.run_both("CREATE TABLE both_have (id int PRIMARY KEY, a int); INSERT INTO both_have VALUES (1, 1)");
    databases.run_source("CREATE TABLE lost (id int); ALTER TABLE both_have ADD b int");
    databases.run_target("CREATE TABLE found (id int); ALTER TABLE both_have ADD c int");
    let report = run(&databases.plan()).unwrap();
    assert!(report.has_differences());
    let reasons: Vec<String> =
        report.skipped.iter().map(|skipped| format!("{} {}", skipped.table, skipped.reason)).collect();
    assert_eq!(reasons, ["public.lost is missing on the target", "public.found is on the target only"]);
    let both = table(&report, "both_have");
    assert_eq!(both.status, TableStatus::Different);
    assert_eq!(
        (both.missing_columns.as_slice(), both.extra_columns.as_slice()),
        (["b".to_owned()].as_slice(), ["c".to_owned()].as_slice())
    );
}

#[test]
fn odd_names_empty_tables_and_tables_without_columns_are_compared() {
    let databases = Databases::new();
    databases.run_both(
        "CREATE SCHEMA \"Odd \"\"schema\"; CREATE TABLE \"Odd \"\"schema\".\"t.\"\"x\" (\"K\" int PRIMARY KEY, k text, \"s'\" text);
         INSERT INTO \"Odd \"\"schema\".\"t.\"\"x\" VALUES (1, 'a', 'b');
         CREATE TABLE nothing (id int PRIMARY KEY); CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES",
    );
    assert!(run(&databases.plan()).unwrap().is_clean());
    databases.run_target("INSERT INTO bare DEFAULT VALUES; UPDATE \"Odd \"\"schema\".\"t.\"\"x\" SET \"s'\" = 'c'");
    let report = run(&databases.plan()).unwrap();
    assert_eq!(shorts(table(&report, "t.\"x")), ["different 1 [s']"]);
    assert_eq!(table(&report, "bare").extra, 1);
}
