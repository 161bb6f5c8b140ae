//! Kills while changes are applied: each change counts exactly once.

use super::field::Field;
use crate::support::Move;
use crate::writes::Writes;

/// Places before a group's commit: nothing of the group may be on the target.
const BEFORE_COMMIT: &[&str] = &[
    "apply-begun:1",
    "apply-part-written:1",
    "apply-part-written:3",
    "apply-truncated:1",
    "apply-begun:4",
    "apply-part-written:5",
    "apply-truncated:1",
    "apply-part-written:2",
    "apply-begun:6",
    "apply-part-written:6",
];

/// Everything of the group and its position are written, and the commit was never sent.
const BETWEEN: &str = "apply-position-written:1";

/// Committed, and not told to the source.
const COMMITTED: &str = "apply-committed:1";

#[test]
fn twenty_one_kills_while_changes_are_applied_lose_nothing_and_apply_nothing_twice() {
    let mut field = Field::prepare(Move::between(18, 18));
    let writes = Writes::start(&field.shop.source_url, 2, 100);
    field.go_on();
    let mut before = field.standing();
    let places = BEFORE_COMMIT.iter().copied().chain([BETWEEN; 6]).chain([COMMITTED; 5]);
    for place in places {
        let end = field.change();
        let now = field.kill_at(place);
        assert_eq!(now.phase, "stream", "{place}");
        if place == COMMITTED {
            assert!(now.applied > before.applied, "{place}: nothing was committed");
            assert!(field.acknowledged() < now.applied, "{place}: the group was acknowledged already");
        } else {
            assert!(now.applied < end, "{place}: nothing was left to apply");
        }
        before = now;
    }
    let written = writes.stop();
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
}

#[test]
fn a_kill_within_one_large_transaction_leaves_nothing_of_it() {
    let field = Field::prepare(Move::between(14, 17));
    field.go_on();
    let before = field.standing();
    // More rows than are written at a time: the first parts are on the target, uncommitted, when the kill comes.
    let sql = "INSERT INTO bulk (batch, v) SELECT 0, 'row ' || i FROM generate_series(1, 45000) i";
    field.shop.source.run_sql("shop", sql).unwrap();
    let end = field.source_position();
    for place in ["apply-part-written:1", "apply-part-written:2", BETWEEN] {
        let now = field.kill_at(place);
        assert!(now.applied >= before.applied && now.applied < end, "{place}: {now:?}");
        assert_eq!(field.shop.target.run_sql("shop", "SELECT count(*) FROM bulk").unwrap(), "0", "{place}");
    }
    field.finish();
}

#[test]
fn kills_beside_an_idle_position_and_an_acknowledgement_lose_nothing() {
    let mut field = Field::prepare(Move::between(15, 16));
    field.go_on();
    // Commits without a change of ours move the source's log only.
    for place in ["idle-position-written:1", "idle-committed:1"] {
        field.shop.source.run_sql("shop", "CREATE TABLE other (id int); DROP TABLE other").unwrap();
        let before = field.standing();
        let now = field.kill_at(place);
        assert_eq!(now.applied > before.applied, place == "idle-committed:1", "{place}: {before:?} {now:?}");
    }
    field.change();
    let now = field.kill_at("acknowledged:1");
    assert!(field.acknowledged() <= now.applied);
    field.finish();
}
