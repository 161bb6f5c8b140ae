//! Two ways of doing one thing, measured in turns.

use std::time::Duration;

use crate::error::Error;

/// The seconds that each side took.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) ours: Vec<f64>,
    pub(crate) peer: Vec<f64>,
}

/// Which side a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Peer,
}

/// Measures both sides `rounds` times; who goes first alternates, so that neither always meets the other's leftovers.
pub(crate) fn measure(rounds: usize, mut turn: impl FnMut(Side) -> Result<Duration, Error>) -> Result<Pairs, Error> {
    let mut pairs = Pairs::default();
    for round in 0..rounds {
        let order = if round % 2 == 0 { [Side::Peer, Side::Ours] } else { [Side::Ours, Side::Peer] };
        for side in order {
            let seconds = turn(side)?.as_secs_f64();
            match side {
                Side::Ours => pairs.ours.push(seconds),
                Side::Peer => pairs.peer.push(seconds),
            }
        }
    }
    Ok(pairs)
}

/// The middle of some numbers, and their extremes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

/// Sums numbers up.
pub(crate) fn summary(numbers: &[f64]) -> Summary {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.wrapping_sub(1)), at(middle)) };
    Summary { median, least: at(0), greatest: at(sorted.len().wrapping_sub(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_alternates() {
        let mut seen = Vec::new();
        let pairs = measure(3, |side| {
            seen.push(side);
            Ok(Duration::from_secs(1))
        })
        .unwrap();
        assert_eq!(seen, [Side::Peer, Side::Ours, Side::Ours, Side::Peer, Side::Peer, Side::Ours]);
        assert_eq!((pairs.ours.len(), pairs.peer.len()), (3, 3));
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        let summed = summary(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!((summed.median, summed.least, summed.greatest), (2.5, 1.0, 4.0));
        assert_eq!(summary(&[7.0]).median, 7.0);
    }
}
