//! Triggers and foreign keys that the target's tables have already.

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
