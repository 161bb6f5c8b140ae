//! Sequences that no table owns.

use crate::support::Move;

#[test]
fn a_sequence_goes_with_the_table_whose_default_draws_from_it() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE SEQUENCE numbers; CREATE TABLE orders (id int PRIMARY KEY DEFAULT nextval('numbers'), what text);
             CREATE SEQUENCE unused; SELECT setval('unused', 77);
             INSERT INTO orders (what) SELECT 'order' FROM generate_series(1, 50)",
        )
        .unwrap();
    let only = ["--tables", "public.orders", "--stop-when", "caught-up"];
    shop.done("start", &only);
    shop.source.run_sql("shop", "INSERT INTO orders (what) VALUES ('another')").unwrap();
    shop.done("start", &only);
    let state = "SELECT last_value, is_called FROM numbers";
    assert_eq!(shop.target.run_sql("shop", state).unwrap(), "51|t");
    shop.done("finish", &["--tables", "public.orders"]);
    shop.target.run_sql("shop", "INSERT INTO orders (what) VALUES ('on the new server')").unwrap();
}
