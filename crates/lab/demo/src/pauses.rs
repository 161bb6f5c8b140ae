//! The times that clients were held: when, by the journal; for how long, by the commands; and what clients saw of it.

use atalaya_load::ledger::Timeline;
use atalaya_verbs::{Program, shown};
use serde::Deserialize;

use crate::Error;
use crate::front::{PLACE, PLACE_NEW};
use crate::lead::Led;
use crate::report::{Leading, Pause, PauseOutcome, Series};

/// A bucket of the whole run's series.
const BUCKET_MS: u32 = 100;
/// What is kept before and behind a pause, slot by slot.
const AROUND_MS: u64 = 1_000;

/// What is read of `journal show`.
#[derive(Deserialize)]
struct Shown {
    events: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    recorded_at_us: i64,
    data: Said,
}

/// What the journal says of a route.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Said {
    EpochOpened { epoch: u64, to: String, rehearsal: bool },
    EpochClosed { epoch: u64, reason: String },
    Flipped { epoch: u64 },
}

/// Reads the journal's route, and puts each epoch beside what clients were told at that time.
pub(crate) async fn read(program: &Program, led: &[Led], timeline: &Timeline) -> Result<Vec<Pause>, Error> {
    let stream = format!("route-{PLACE}");
    let arguments = ["journal", "show", &stream, "--output", "json"];
    let shown: Shown = program.run(&arguments, &[0], |_| ()).await?.read()?;
    put_together(&shown.events, led, timeline).ok_or_else(|| Error::NoPause { line: self::shown(&arguments) })
}

/// None where an epoch is of no place of the demo, or was never decided.
fn put_together(events: &[Written], led: &[Led], timeline: &Timeline) -> Option<Vec<Pause>> {
    let mut pauses = Vec::new();
    let mut pairs = events.iter();
    while let Some(opened) = pairs.next() {
        let decided = pairs.next()?;
        let Said::EpochOpened { epoch, to, rehearsal } = &opened.data else { return None };
        let what = match (*rehearsal, to.as_str()) {
            (true, _) => Leading::Rehearsal,
            (false, PLACE_NEW) => Leading::Cutover,
            (false, PLACE) => Leading::Rollback,
            _ => return None,
        };
        let reported = led.iter().find(|led| led.epoch == *epoch);
        let outcome = match (&decided.data, reported) {
            (Said::Flipped { epoch: decided }, _) if decided == epoch => PauseOutcome::Flipped,
            (Said::EpochClosed { epoch: decided, .. }, Some(_)) if decided == epoch => PauseOutcome::Rehearsed,
            (Said::EpochClosed { epoch: decided, reason }, None) if decided == epoch => {
                PauseOutcome::Closed { reason: reason.clone() }
            }
            _ => return None,
        };
        let at_us = u64::try_from(opened.recorded_at_us - timeline.began_at_us).ok()?;
        let until_decided_us = u64::try_from(decided.recorded_at_us - opened.recorded_at_us).unwrap_or_default();
        let reported = reported.cloned().unwrap_or_default();
        let pause_us = if reported.pause_us > 0 { reported.pause_us } else { until_decided_us };
        let (at_ms, until_ms) = (at_us / 1_000, (at_us + pause_us).div_ceil(1_000));
        pauses.push(Pause {
            what,
            outcome,
            epoch: *epoch,
            at_ms,
            pause_us,
            no_commit_ms: no_commit_ms(timeline, at_ms, until_ms),
            longest_wait_us: longest_wait_us(timeline, at_ms, until_ms),
            clients_held: reported.clients_held(),
            stages: reported.stages,
            rows_proven: reported.rows_proven,
            sequences: reported.sequences,
            around: around(timeline, at_ms, until_ms),
        });
    }
    Some(pauses)
}

/// The whole run.
pub(crate) fn series(timeline: &Timeline) -> Series {
    let slots = usize::try_from(BUCKET_MS / Timeline::SLOT_MS).unwrap_or(1).max(1);
    let committed = timeline.committed.chunks(slots).map(|slots| slots.iter().sum()).collect();
    Series { from_ms: 0, bucket_ms: BUCKET_MS, committed }
}

fn slot(at_ms: u64) -> usize {
    usize::try_from(at_ms / u64::from(Timeline::SLOT_MS)).unwrap_or(usize::MAX)
}

fn around(timeline: &Timeline, at_ms: u64, until_ms: u64) -> Series {
    let (first, last) = (slot(at_ms.saturating_sub(AROUND_MS)), slot(until_ms + AROUND_MS));
    let committed = timeline.committed.iter().skip(first).take(last - first + 1).copied().collect();
    let from_ms = u64::try_from(first).unwrap_or(0) * u64::from(Timeline::SLOT_MS);
    Series { from_ms, bucket_ms: Timeline::SLOT_MS, committed }
}

/// The longest row of empty slots that touches the pause.
fn no_commit_ms(timeline: &Timeline, at_ms: u64, until_ms: u64) -> u64 {
    let (first, last) = (slot(at_ms), slot(until_ms));
    let (mut longest, mut row_from) = (0, 0);
    for (at, committed) in timeline.committed.iter().enumerate() {
        if *committed > 0 {
            row_from = at + 1;
        } else if at >= first && row_from <= last {
            longest = longest.max(at + 1 - row_from);
        }
    }
    u64::try_from(longest).unwrap_or(0) * u64::from(Timeline::SLOT_MS)
}

fn longest_wait_us(timeline: &Timeline, at_ms: u64, until_ms: u64) -> u64 {
    let (first, last) = (slot(at_ms), slot(until_ms + AROUND_MS));
    let waits = timeline.longest_us.iter().skip(first).take(last - first + 1);
    waits.max().copied().map_or(0, u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: [&str; 4] = [
        r#"{"recorded_at_us":1000000,"data":{"kind":"epoch_opened","epoch":1,"migration":"m","from":"shop","to":"shop-new",
            "gates":["g"],"lease_ms":2000,"lift":[],"rehearsal":true,"led":null}}"#,
        r#"{"recorded_at_us":1060000,"data":{"kind":"epoch_closed","epoch":1,"by":"b","reason":"a rehearsal"}}"#,
        r#"{"recorded_at_us":2000000,"data":{"kind":"epoch_opened","epoch":2,"migration":"m","from":"shop","to":"shop-new",
            "gates":["g"],"lease_ms":2000,"lift":[],"rehearsal":false,"led":null}}"#,
        r#"{"recorded_at_us":2040000,"data":{"kind":"epoch_closed","epoch":2,"by":"b","reason":"out of time"}}"#,
    ];

    /// Began at 500 ms by the clock; 2 commits a slot, none from 500 to 579 ms.
    fn timeline() -> Timeline {
        let mut committed = vec![2; 300];
        committed[50..58].fill(0);
        let mut longest_us = vec![900; 300];
        longest_us[58] = 81_000;
        Timeline { began_at_us: 500_000, committed, longest_us }
    }

    fn events() -> Vec<Written> {
        OPENED.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    #[test]
    fn an_epoch_is_put_where_clients_met_it() {
        let led = Led { epoch: 1, pause_us: 75_000, ..Led::default() };
        let pauses = put_together(&events(), &[led], &timeline()).unwrap();
        let [rehearsed, closed] = pauses.as_slice() else { panic!("{pauses:?}") };
        assert_eq!((rehearsed.what, &rehearsed.outcome), (Leading::Rehearsal, &PauseOutcome::Rehearsed));
        assert_eq!((rehearsed.at_ms, rehearsed.pause_us), (500, 75_000));
        assert_eq!((rehearsed.no_commit_ms, rehearsed.longest_wait_us), (80, 81_000));
        assert_eq!((rehearsed.around.from_ms, rehearsed.around.committed.len()), (0, 158));
        // Nobody reported it: it ended when that was decided.
        assert_eq!(closed.outcome, PauseOutcome::Closed { reason: "out of time".into() });
        assert_eq!((closed.what, closed.at_ms, closed.pause_us), (Leading::Cutover, 1_500, 40_000));
        assert_eq!(closed.no_commit_ms, 0);
        assert_eq!((closed.around.from_ms, closed.around.committed.len()), (500, 205));
    }

    #[test]
    fn an_epoch_that_nobody_decided_is_no_pause() {
        assert!(put_together(&events()[..1], &[], &timeline()).is_none());
        assert!(put_together(&events()[1..], &[], &timeline()).is_none());
    }

    #[test]
    fn the_series_adds_up_to_all_commits() {
        let timeline = timeline();
        let all: u32 = timeline.committed.iter().sum();
        let series = series(&timeline);
        assert_eq!(series.committed.iter().sum::<u32>(), all);
        assert_eq!((series.committed.len(), series.committed[5], series.committed[6]), (30, 4, 20));
    }
}
