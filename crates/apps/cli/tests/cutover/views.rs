//! Materialized views of the new server: what is in them when clients come, and whose they are from then on.

use super::front::Front;
use crate::support::Move;

const VIEW: &str = "CREATE TABLE ledger.item (id int PRIMARY KEY); INSERT INTO ledger.item VALUES (1);
                    CREATE MATERIALIZED VIEW ledger.counted AS SELECT count(*) AS n FROM ledger.item";

fn counted(front: &Front) -> String {
    front.shop.target.run_sql("shop", "SELECT n FROM ledger.counted").unwrap()
}

#[test]
fn they_are_filled_again_each_time_that_clients_may_be_led_to_them_and_never_once_they_are_there() {
    let front = Front::before(Move::between(14, 18), &[], VIEW);
    let add = |item: u32| format!("INSERT INTO ledger.item VALUES ({item})");
    front.led(&["migrate", "cutover", "shop-to-18", "--rehearse"]);
    assert_eq!(counted(&front), "1");
    front.shop.source.run_sql("shop", &add(2)).unwrap();
    front.led(&["migrate", "cutover", "shop-to-18"]);
    assert_eq!(counted(&front), "2");

    front.shop.target.run_sql("shop", &add(3)).unwrap();
    front.led(&["migrate", "rollback", "shop-to-18"]);
    assert_eq!(counted(&front), "2", "what is left is nobody's to change");
    front.led(&["migrate", "cutover", "shop-to-18"]);
    assert_eq!(counted(&front), "3");

    front.shop.target.run_sql("shop", &add(4)).unwrap();
    let finished = front.ask(&["migrate", "finish", "shop-to-18"]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(counted(&front), "3", "clients refresh it when they like");
}
