//! A new server whose schema is another one than the old one's.

use super::front::Front;
use crate::support::Move;

const TABLES: &str = "CREATE TABLE ledger.priced (id int PRIMARY KEY, price numeric(10, 2) DEFAULT 1 CHECK (price > 0), said text);
    CREATE INDEX by_price ON ledger.priced (price); CREATE SEQUENCE ledger.numbers; GRANT ALL ON ledger.priced TO clerk";

#[test]
fn what_differs_on_the_new_server_is_named_and_forbids_it_where_other_values_would_be_stored() {
    let front = Front::before(Move::between(15, 18), &[], TABLES);
    assert_eq!(front.found_by("cutover", "schema"), "[]");
    let secret = "a-default-nobody-may-read";
    front
        .shop
        .target
        .run_sql(
            "shop",
            &format!(
                "DROP INDEX ledger.by_price; CREATE INDEX another_one ON ledger.priced (said);
                 ALTER TABLE ledger.priced ADD CONSTRAINT stricter CHECK (id > 0), ALTER said SET DEFAULT '{secret}', DROP CONSTRAINT priced_price_check;
                 DROP SEQUENCE ledger.numbers"
            ),
        )
        .unwrap();
    let refused = front.lead("cutover", &[]);
    let says = [
        "schema",
        "ledger.priced",
        "priced_price_check",
        "default",
        "ledger.numbers",
        "by_price",
        "--allow-schema-differences",
    ];
    front.assert_broken_off(&refused, 4, &says, "shop");
    assert!(!refused.stderr.contains(secret), "{}", refused.stderr);
    assert!(!refused.stderr.contains("another_one"), "an index more is no matter: {}", refused.stderr);

    let looked = front.lead("cutover", &["--dry-run", "--allow-schema-differences"]);
    assert_eq!(looked.code, Some(0), "{}\n{}", looked.stdout, looked.stderr);
    for named in ["priced_price_check", "stricter"] {
        assert!(looked.stdout.contains(named), "{named}: {}", looked.stdout);
    }

    // The SQL that is named mends it.
    let script = front.ask(&["validate", "shop-to-18", "--schema", "--sql"]);
    front.shop.target.run_sql("shop", &script.stdout).unwrap();
    assert_eq!(front.found_by("cutover", "schema"), "[]");
    front.led(&["migrate", "cutover", "shop-to-18"]);
    front.led(&["migrate", "rollback", "shop-to-18"]);
}
