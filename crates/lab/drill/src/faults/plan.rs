//! Draws the faults from a seed: every kind comes before one comes again.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::kind::{End, Kind};

/// Which part of the move a fault is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum During {
    /// `migrate start`, from its first step on.
    Copy,
    /// `migrate start`, once caught up.
    Follow,
    /// `migrate finish`.
    Finish,
}

/// A fault to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) kind: Kind,
    pub(crate) during: During,
    /// After the run began, or was at work again.
    pub(crate) after: Duration,
}

const SOURCE: End = End::Source;
const TARGET: End = End::Target;
/// These first: a short drill has them, too.
const KILLS: [Kind; 4] = [Kind::Run, Kind::Holder, Kind::Server(SOURCE), Kind::Server(TARGET)];
const COPY: [Kind; 9] = [
    Kind::Run,
    Kind::Holder,
    Kind::Server(SOURCE),
    Kind::Server(TARGET),
    Kind::Sessions(SOURCE),
    Kind::Sessions(TARGET),
    Kind::Cut(SOURCE),
    Kind::Cut(TARGET),
    Kind::Run,
];
const FOLLOW: [Kind; 12] = [
    Kind::Run,
    Kind::Server(SOURCE),
    Kind::Server(TARGET),
    Kind::Restart(SOURCE),
    Kind::Restart(TARGET),
    Kind::Sessions(SOURCE),
    Kind::Sessions(TARGET),
    Kind::Cut(SOURCE),
    Kind::Cut(TARGET),
    Kind::Silence(SOURCE),
    Kind::Silence(TARGET),
    Kind::Run,
];
const FINISH: [Kind; 5] =
    [Kind::Run, Kind::Server(TARGET), Kind::Cut(SOURCE), Kind::Server(SOURCE), Kind::Sessions(TARGET)];
const COPY_AFTER_MS: std::ops::Range<u64> = 20..1_500;
const FOLLOW_AFTER_MS: std::ops::Range<u64> = 50..2_000;
const FINISH_AFTER_MS: std::ops::Range<u64> = 20..800;

/// So many faults: about two of five in the copy, but each of the kills once; one of six in the end.
pub(crate) fn plan(count: u32, seed: u64) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed);
    let finish = if count < 3 { 0 } else { (count / 6).max(1) };
    let kills = u32::try_from(KILLS.len()).unwrap_or_default();
    let copy = (count - finish).min((count * 2).div_ceil(5).max(kills));
    let follow = count - finish - copy;
    let mut faults = Vec::new();
    let mut draw = |first: &[Kind], deck: &[Kind], count: u32, during, range: std::ops::Range<u64>| {
        let mut open: Vec<Kind> = first.to_vec();
        open.shuffle(&mut random);
        // The holder's time is the shortest.
        open.sort_by_key(|kind| *kind == Kind::Holder);
        for _ in 0..count {
            if open.is_empty() {
                open = deck.to_vec();
                open.shuffle(&mut random);
            }
            let after = Duration::from_millis(random.random_range(range.clone()));
            faults.extend(open.pop().map(|kind| Planned { kind, during, after }));
        }
    };
    draw(&KILLS, &COPY, copy, During::Copy, COPY_AFTER_MS);
    draw(&[], &FOLLOW, follow, During::Follow, FOLLOW_AFTER_MS);
    draw(&[], &FINISH, finish, During::Finish, FINISH_AFTER_MS);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_brings_the_same_faults_and_a_short_drill_has_every_kill() {
        for count in [0, 1, 2, 3, 12, 200] {
            let faults = plan(count, 7);
            assert_eq!(faults.len(), usize::try_from(count).unwrap());
            assert_eq!(faults, plan(count, 7));
        }
        assert_ne!(plan(12, 7), plan(12, 8));
        let faults = plan(5, 1);
        for kind in KILLS {
            assert!(faults.iter().any(|fault| fault.kind == kind), "{kind:?}");
        }
        assert_eq!(faults.iter().filter(|fault| fault.during == During::Finish).count(), 1);
    }
}
