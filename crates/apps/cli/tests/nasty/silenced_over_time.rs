//! Triggers that are off while the move runs, where time passes: a move that an earlier version began, tables that are emptied
//! before their rows come, partitions that come meanwhile.

use super::caught_up;
use crate::support::Move;

const EXISTING: [&str; 1] = ["--existing-schema"];

const NOTE: &str = "CREATE TABLE audit (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (TG_NAME); RETURN NULL; END $$;";

fn assert_caught_up(shop: &Move) {
    let ran = caught_up(shop, &EXISTING);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// What the target says, with nothing noted by any trigger.
fn triggers(shop: &Move) -> String {
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM audit").unwrap(), "0");
    let sql = "SELECT string_agg(format('%s %s', tgrelid::regclass, tgenabled), ', ' ORDER BY tgrelid::regclass::text)
                 FROM pg_trigger WHERE tgname = 'noted'";
    shop.target.run_sql("shop", sql).unwrap()
}

/// Of our schema it has what that version made.
#[test]
fn a_move_that_a_version_without_it_began_goes_on_and_ends() {
    let shop = Move::between(15, 18);
    let table = "CREATE TABLE t (id int PRIMARY KEY);";
    shop.source.run_sql("shop", &format!("{table} INSERT INTO t VALUES (1), (2)")).unwrap();
    shop.target.run_sql("shop", &format!("{table} {NOTE}")).unwrap();
    assert_caught_up(&shop);
    shop.target
        .run_sql(
            "shop",
            "DROP TABLE atalaya.silenced; CREATE TRIGGER noted AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
             ALTER TABLE t ENABLE ALWAYS TRIGGER noted",
        )
        .unwrap();
    let dry = shop.done("abort", &["--dry-run"]);
    assert!(!dry.contains("set back"), "{dry}");
    shop.source.run_sql("shop", "INSERT INTO t VALUES (3)").unwrap();
    assert_caught_up(&shop);
    assert_eq!(triggers(&shop), "t D");
    shop.done("finish", &EXISTING);
    assert_eq!(triggers(&shop), "t A");
}
