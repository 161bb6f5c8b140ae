//! Kills around a settled conflict: it counts once, with the position that it belongs to.

use super::{caught_up, counted, prepared, rows};
use crate::support::Move;
use crate::support::ran;

#[test]
fn conflicts_count_once_over_kills_before_and_after_their_commit() {
    let shop = prepared(15, 18);
    shop.target.run_sql("shop", "INSERT INTO source_wins VALUES (400, 'theirs', 400), (401, 'theirs', 401)").unwrap();
    shop.source
        .run_sql("shop", "INSERT INTO source_wins SELECT n, 'ours', n FROM generate_series(350, 450) n")
        .unwrap();
    let arguments = Move::migrate("start", &["--stop-when", "caught-up"]);
    let kill_at = |place: &str| {
        let killed = ran(shop.command(&arguments).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {:?} {}", killed.code, killed.stderr);
    };
    for place in ["conflict-settled:1", "conflict-settled:2", "conflicts-written:1", "apply-position-written:1"] {
        kill_at(place);
        assert_eq!(rows(&shop.target, "source_wins", "id IN (400, 401)"), "400:theirs:400 401:theirs:401", "{place}");
        assert_eq!(counted(&shop, "source_wins"), "", "{place}");
    }
    kill_at("apply-committed:1");
    assert_eq!(counted(&shop, "source_wins"), "2 insert_exists source");
    assert_eq!(caught_up(&shop).code, Some(0));
    assert_eq!(counted(&shop, "source_wins"), "2 insert_exists source");
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM atalaya.conflicts").unwrap(), "2");
    shop.assert_equal();
}
