//! Triggers and foreign keys that the target's tables have already.

use super::{caught_up, refused};
use crate::support::Move;

#[test]
fn nothing_of_an_existing_schema_fires_on_copied_rows() {
    let shop = Move::between(15, 18);
    let tables = "CREATE TABLE parent (id int PRIMARY KEY, v text);
        CREATE TABLE aaa_child (id int PRIMARY KEY, parent int REFERENCES parent)";
    shop.source.run_sql("shop", tables).unwrap();
    shop.target
        .run_sql(
            "shop",
            &format!(
                "{tables}; CREATE TABLE audit (what text);
                 CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     INSERT INTO audit VALUES (NEW.v); NEW.v := NEW.v || '!'; RETURN NEW; END $$;
                 CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION meddle()"
            ),
        )
        .unwrap();
    shop.source
        .run_sql(
            "shop",
            "INSERT INTO parent SELECT n, 'row ' || n FROM generate_series(1, 500) n;
             INSERT INTO aaa_child SELECT n, n FROM generate_series(1, 500) n",
        )
        .unwrap();
    // The child is larger than its parent here, and is copied first.
    shop.source.run_sql("shop", "INSERT INTO aaa_child SELECT n, 1 FROM generate_series(1000, 9000) n").unwrap();
    shop.done("start", &["--existing-schema", "--workers", "1", "--stop-when", "caught-up"]);
    shop.source.run_sql("shop", "UPDATE parent SET v = 'changed' WHERE id = 3").unwrap();
    shop.done("start", &["--existing-schema", "--stop-when", "caught-up"]);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM audit").unwrap(), "0");
    for table in ["parent", "aaa_child"] {
        let sql = format!("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM {table} t");
        assert_eq!(shop.source.run_sql("shop", &sql).unwrap(), shop.target.run_sql("shop", &sql).unwrap());
    }
}

#[test]
fn what_fires_for_a_replica_too_is_refused_until_it_is_off_and_rules_of_the_target_leave_changes_alone() {
    let shop = Move::between(15, 18);
    let table = "CREATE TABLE t (id int PRIMARY KEY, v text)";
    shop.source
        .run_sql("shop", &format!("{table}; INSERT INTO t SELECT n, 'v' FROM generate_series(1, 50) n"))
        .unwrap();
    shop.target
        .run_sql(
            "shop",
            &format!(
                "{table}; CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := 'meddled'; RETURN NEW; END $$;
                 CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
                 ALTER TABLE t ENABLE ALWAYS TRIGGER meddle;
                 CREATE RULE keep AS ON DELETE TO t DO INSTEAD NOTHING;
                 CREATE RULE still AS ON UPDATE TO t DO INSTEAD NOTHING; ALTER TABLE t ENABLE REPLICA RULE still;
                 ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY"
            ),
        )
        .unwrap();
    let existing = ["--existing-schema"];
    let ran = caught_up(&shop, &existing);
    refused(&ran, "rule still of public.t, trigger meddle of public.t");
    shop.target.run_sql("shop", "ALTER TABLE t ENABLE TRIGGER meddle; ALTER TABLE t ENABLE RULE still").unwrap();
    assert_eq!(caught_up(&shop, &existing).code, Some(0));
    shop.source
        .run_sql(
            "shop",
            "UPDATE t SET v = 'changed' WHERE id < 10; DELETE FROM t WHERE id > 40; INSERT INTO t VALUES (99, 'new')",
        )
        .unwrap();
    assert_eq!(caught_up(&shop, &existing).code, Some(0));
    shop.assert_equal();
}
