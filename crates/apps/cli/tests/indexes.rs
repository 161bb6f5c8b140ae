//! Indexes of a copied table do not wait for the other tables.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;

use crate::support::{Move, eventually};

const TABLES: &str = "
CREATE TABLE waiting (id int PRIMARY KEY, v text);
INSERT INTO waiting SELECT i, 'v' || i FROM generate_series(1, 20000) i;
CREATE FUNCTION looks_up(int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT count(*) FROM public.waiting WHERE id = $1';
CREATE TABLE quick (id int PRIMARY KEY, v text UNIQUE, n int);
INSERT INTO quick SELECT i, 'v' || i, i FROM generate_series(1, 100) i;
CREATE INDEX quick_n ON quick (n);
CREATE INDEX quick_looks_up ON quick (looks_up(id));
CREATE INDEX quick_part ON quick (v) WHERE n > 50;
";
/// Valid indexes of `quick` on the target.
const BUILT: &str = "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'public.quick'::regclass AND i.indisvalid";

#[tokio::test]
async fn indexes_of_a_copied_table_are_built_while_another_table_cannot_be_copied() {
    let shop = Move::between(15, 16);
    shop.source.run_sql("shop", TABLES).unwrap();
    let mut run =
        shop.spawn_with("start", &["--stop-when", "caught-up"], &[("ATALAYA_FAILPOINT", "schema-restored:1:stop")]);
    run.wait_for_halt();
    let other = Session::connect(&ConnectionUrl::parse(&shop.target_url).unwrap(), "someone else").await.unwrap();
    other.batch("BEGIN; LOCK TABLE public.waiting IN ROW EXCLUSIVE MODE").await.unwrap();
    run.go_on();
    eventually("plain indexes stand", || {
        run.assert_alive();
        shop.target.run_sql("shop", BUILT).unwrap() == "quick_n quick_pkey quick_v_key"
    });
    let state = "SELECT state FROM atalaya.tables WHERE name = 'waiting'";
    assert_eq!(shop.target.run_sql("shop", state).unwrap(), "pending");
    other.batch("COMMIT").await.unwrap();
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let all = "quick_looks_up quick_n quick_part quick_pkey quick_v_key";
    assert_eq!(shop.target.run_sql("shop", BUILT).unwrap(), all);
    // A function in an index has seen every row.
    let with = "SET enable_seqscan = off; SELECT count(*) FROM quick WHERE looks_up(id) = 1";
    assert_eq!(shop.target.run_sql("shop", with).unwrap(), "100");
    shop.assert_equal();
}
