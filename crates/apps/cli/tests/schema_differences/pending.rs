//! What a running move has still to restore is pending; what somebody takes from it is a difference; and only what is
//! chosen is looked at.

use super::{lines, report};
use crate::moves::SCHEMA;
use crate::support::Move;

#[test]
fn a_key_dropped_under_a_running_move_differs_while_its_triggers_are_pending() {
    let shop = Move::between(15, 17);
    shop.source.run_sql("shop", "
        CREATE TABLE one (id int PRIMARY KEY, at date DEFAULT now()); CREATE TABLE other (id int PRIMARY KEY, one int REFERENCES one);
        CREATE TABLE audit_one (id int PRIMARY KEY); CREATE SCHEMA apart; CREATE TABLE apart.t (id int PRIMARY KEY);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t BEFORE INSERT ON one FOR EACH ROW EXECUTE FUNCTION f();
        INSERT INTO one VALUES (1); INSERT INTO other VALUES (1, 1)").unwrap();
    let patterns = ["--tables", "public.*", "--exclude", "public.audit_*"];
    let running = shop.follow(&patterns);
    let (ran, clean) = report(&shop, &patterns);
    assert_eq!(lines(&clean["differences"]), [""; 0], "{}", ran.stderr);
    assert_eq!(ran.code, Some(0));
    assert_eq!(lines(&clean["pending"]), ["trigger | t on public.one | missing | - | data"]);
    assert_eq!(clean["phase"], "stream");
    // The tables that stay are no difference; without the patterns they are.
    let everything = lines(&report(&shop, &[]).1["differences"]);
    assert_eq!(everything, ["table | public.audit_one | missing | - | data", "table | apart.t | missing | - | data"]);
    shop.target
        .run_sql("shop", "ALTER TABLE other DROP CONSTRAINT other_one_fkey; ALTER TABLE one ALTER at SET DEFAULT NULL")
        .unwrap();
    let (ran, broken) = report(&shop, &patterns);
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        lines(&broken["differences"]),
        [
            "column | public.one.at | different | default | data",
            "constraint | other_one_fkey on public.other | missing | - | data"
        ]
    );
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
}

#[test]
fn a_role_of_a_managed_service_compares_schemas_too_and_owners_may_be_left_out() {
    let mut shop = Move::between(13, 16);
    shop.source.run_sql("shop", SCHEMA).unwrap();
    crate::managed::act_as_managed_role(&mut shop);
    shop.done("start", &["--stop-when", "caught-up", "--no-owner"]);
    let (ran, running) = report(&shop, &[]);
    assert_eq!(lines(&running["differences"]), [""; 0], "{}", ran.stderr);
    shop.done("finish", &["--no-owner"]);
    let (ran, finished) = report(&shop, &["--no-owner"]);
    assert_eq!(lines(&finished["differences"]), [""; 0], "{}", ran.stderr);
    assert_eq!(ran.code, Some(0));
}
