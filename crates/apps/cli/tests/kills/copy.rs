//! Kills in the copy: what is finished stays as it is, what is not is copied once.

use super::field::Field;
use crate::support::Move;
use crate::writes::Writes;

/// Each kill's place, and how many loads must have been committed by that run when it died.
const KILLS: &[(&str, usize)] = &[
    ("copy-begun:1", 0),
    ("copy-passing:1", 0),
    ("copy-passing:9", 0),
    ("copy-loaded:1", 0),
    ("copy-committed:1", 1),
    ("copy-passing:5", 0),
    ("copy-committed:2", 2),
    ("copy-loaded:2", 0),
    ("copy-begun:3", 1),
    ("copy-committed:3", 3),
    ("copy-passing:16", 0),
    ("copy-loaded:1", 0),
    ("copy-begun:2", 0),
    ("copy-committed:1", 1),
    ("copy-passing:2", 0),
    ("copy-begun:4", 2),
];

/// Rows loaded and marked done, and the commit never sent.
const BETWEEN: &[&str] = &["copy-marked:1", "copy-marked:2", "copy-marked:1"];

#[test]
fn sixteen_kills_in_the_copy_and_three_before_its_commits_lose_nothing_and_copy_nothing_twice() {
    let mut field = Field::prepare(Move::between(13, 18));
    let writes = Writes::start(&field.shop.source_url, 2, 100);
    let kills = KILLS.iter().copied().chain(BETWEEN.iter().map(|place| (*place, 0)));
    let mut before: Option<super::field::Standing> = None;
    for (number, (place, loads)) in kills.enumerate() {
        let now = field.kill_at(place);
        let all = now.tables.len();
        assert_eq!(now.phase, "copy", "{place}");
        assert!(now.tables_done() < all, "{place}: nothing was left to copy");
        let committed = |standing: &super::field::Standing| standing.tables_done() + standing.ranges_done;
        if let Some(before) = &before {
            before.assert_kept(&now);
            assert!(committed(&now) >= committed(before) + loads, "{place}: {before:?} {now:?}");
        }
        // The snapshot was held all the time: no table began anew from another one.
        let starts: std::collections::BTreeSet<_> = now.tables.values().map(|table| &table.start_lsn).collect();
        assert_eq!(starts.len(), 1, "{place}: {starts:?}");
        if number % 4 == 0 {
            field.change();
            writes.wait_for_more(5);
        }
        before = Some(now);
    }
    let before = before.unwrap();
    assert!(before.tables_done() > 0 && before.ranges_done > 0, "{before:?}");
    let end = field.kill_at("indexes-built:1");
    assert_eq!((end.phase.as_str(), end.tables_done()), ("copy", end.tables.len()));
    before.assert_kept(&end);
    let written = writes.stop();
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
}
