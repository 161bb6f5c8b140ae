//! Triggers where clients are led: each is what it was, and what the move keeps from acting forbids it by name.

use atalaya_sandbox::Server;

use super::front::Front;
use crate::support::{Move, eventually};

/// An ordinary trigger and one that is off, of a plain table and of a tree. Each notes where the application writes.
const TRIGGERS: &str = "
    CREATE TABLE ledger.item (id int PRIMARY KEY, v text);
    CREATE TABLE ledger.tree (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE ledger.tree_1 PARTITION OF ledger.tree FOR VALUES FROM (0) TO (50);
    CREATE TABLE ledger.tree_2 PARTITION OF ledger.tree DEFAULT;
    CREATE TABLE ledger.audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
    CREATE FUNCTION ledger.note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO ledger.audit (what) VALUES (TG_NAME || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
    CREATE TRIGGER plain AFTER INSERT ON ledger.item FOR EACH ROW EXECUTE FUNCTION ledger.note();
    CREATE TRIGGER asleep AFTER INSERT ON ledger.item FOR EACH ROW EXECUTE FUNCTION ledger.note();
    ALTER TABLE ledger.item DISABLE TRIGGER asleep;
    CREATE TRIGGER each AFTER INSERT ON ledger.tree FOR EACH ROW EXECUTE FUNCTION ledger.note();
    ALTER TABLE ONLY ledger.tree_2 DISABLE TRIGGER each;
    GRANT ALL ON ALL TABLES IN SCHEMA ledger TO clerk";

const STATES: &str = "item asleep D, item plain O, tree each O, tree_1 each O, tree_2 each D";

/// Every trigger's state.
fn states(server: &Server) -> String {
    let sql = "SELECT string_agg(format('%s %s %s', relname, tgname, tgenabled), ', ' ORDER BY relname, tgname)
                 FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
                WHERE tgname IN ('plain', 'asleep', 'each', 'always', 'replica')";
    server.run_sql("shop", sql).unwrap()
}

fn noted(server: &Server) -> String {
    server.run_sql("shop", "SELECT string_agg(what, ', ' ORDER BY id) FROM ledger.audit").unwrap()
}

/// What clients write on a side fires what is to fire, and what comes to the other side fires nothing once more.
fn assert_fired_once(front: &Front, round: i32) {
    let client = front.client("shop");
    let (low, high) = (round, 100 + round);
    front.batch(&client, &format!("INSERT INTO ledger.item VALUES ({low}, 'v')"));
    front.batch(&client, &format!("INSERT INTO ledger.tree VALUES ({low}, 'v'), ({high}, 'v')"));
    let expected = vec!["plain item, each tree_1"; usize::try_from(round).unwrap()].join(", ");
    for server in [&front.shop.source, &front.shop.target] {
        eventually("noted on both sides", || noted(server) == expected);
    }
    front.assert_equal();
    for server in [&front.shop.source, &front.shop.target] {
        assert_eq!(noted(server), expected);
        assert_eq!(states(server), STATES);
    }
}

fn goes_there_and_back(front: &Front, finishing: &[&str]) {
    assert_fired_once(front, 1);
    front.led(&["migrate", "cutover", "shop-to-18"]);
    assert_eq!(states(&front.shop.target), STATES);
    assert_fired_once(front, 2);
    front.led(&["migrate", "rollback", "shop-to-18"]);
    assert_fired_once(front, 3);
    front.led(&["migrate", "cutover", "shop-to-18"]);
    let finished = front.ask(&[&["migrate", "finish", "shop-to-18", "--no-certificate"], finishing].concat());
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(states(&front.shop.target), STATES);
}

#[test]
fn triggers_that_the_move_has_brought_are_as_on_the_old_server_and_fire_for_clients() {
    let front = Front::before(Move::between(13, 18), &[], TRIGGERS);
    assert_eq!(states(&front.shop.target), "", "they come before clients do");
    front.led(&["migrate", "cutover", "shop-to-18", "--rehearse"]);
    assert_eq!(states(&front.shop.target), STATES);
    goes_there_and_back(&front, &[]);
}

#[test]
fn triggers_that_the_new_server_had_already_are_as_before_and_fire_for_clients() {
    let front = Front::over(Move::between(14, 18), TRIGGERS, "");
    assert_eq!(states(&front.shop.target), STATES);
    goes_there_and_back(&front, &["--existing-schema"]);
}

/// It would act on what is applied, so it is off: clients would miss it.
#[test]
fn triggers_of_the_new_server_that_are_off_for_the_move_forbid_it_by_name_and_are_as_before_at_its_end() {
    let more = "CREATE TRIGGER always AFTER INSERT ON ledger.item FOR EACH ROW EXECUTE FUNCTION ledger.note();
                CREATE TRIGGER replica AFTER INSERT ON ledger.tree_1 FOR EACH ROW EXECUTE FUNCTION ledger.note();
                ALTER TABLE ledger.item ENABLE ALWAYS TRIGGER always; ALTER TABLE ledger.tree_1 ENABLE REPLICA TRIGGER replica";
    let front = Front::over(Move::between(14, 18), TRIGGERS, more);
    let before =
        "item always A, item asleep D, item plain O, tree each O, tree_1 each O, tree_1 replica R, tree_2 each D";
    let off = before.replace("always A", "always D").replace("replica R", "replica D");
    assert_eq!(states(&front.shop.target), off);
    let refused = front.lead("cutover", &[]);
    let names = [
        "way-back",
        "trigger `always` of ledger.item (ENABLE ALWAYS)",
        "trigger `replica` of ledger.tree_1 (ENABLE REPLICA)",
    ];
    front.assert_broken_off(&refused, 4, &names, "shop");
    assert_eq!(states(&front.shop.target), off);
    for verb in ["stop", "abort"] {
        let done = front.ask(&["migrate", verb, "shop-to-18"]);
        assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
    }
    assert_eq!(states(&front.shop.target), before);
}

/// The move would have to bring it while changes are applied that it acts on.
#[test]
fn triggers_of_the_old_server_that_would_act_on_what_is_applied_forbid_it_by_name() {
    let more = "CREATE TRIGGER always AFTER INSERT ON ledger.item FOR EACH ROW EXECUTE FUNCTION ledger.note();
                ALTER TABLE ledger.item ENABLE ALWAYS TRIGGER always";
    let front = Front::before(Move::between(13, 18), &[], &format!("{TRIGGERS}; {more}"));
    let before = states(&front.shop.source);
    let refused = front.lead("cutover", &[]);
    let names = ["way-back", "trigger `always` of ledger.item (ENABLE ALWAYS)"];
    front.assert_broken_off(&refused, 4, &names, "shop");
    assert_eq!((states(&front.shop.source), states(&front.shop.target)), (before, String::new()));
}
