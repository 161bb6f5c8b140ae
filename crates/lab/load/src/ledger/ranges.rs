//! Numbers that come almost in order, kept as ranges.

use serde::Serialize;

/// A set of numbers that are added in ascending order; takes 16 bytes for each unbroken range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NumberRanges {
    /// First and last number of each range, ascending, with a gap between any two.
    ranges: Vec<(u64, u64)>,
}

impl NumberRanges {
    /// Adds a number that is larger than all in the set; one that is not is left out.
    pub fn push(&mut self, number: u64) {
        match self.ranges.last_mut() {
            Some((_, last)) if number <= *last => (),
            Some((_, last)) if number == *last + 1 => *last = number,
            _ => self.ranges.push((number, number)),
        }
    }

    /// Whether the number is in the set.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).and_then(|index| self.ranges.get(index)).is_some_and(|(_, last)| number <= *last)
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// All numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_range() {
        let mut ranges = NumberRanges::default();
        for number in [0, 1, 2, 5, 6, 9] {
            ranges.push(number);
        }
        assert_eq!(ranges.ranges, [(0, 2), (5, 6), (9, 9)]);
        assert_eq!(ranges.count(), 6);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [0, 1, 2, 5, 6, 9]);
    }

    #[test]
    fn only_added_numbers_are_contained() {
        let mut ranges = NumberRanges::default();
        assert!(!ranges.contains(0));
        for number in [3, 4, 8] {
            ranges.push(number);
        }
        let found: Vec<u64> = (0..12).filter(|number| ranges.contains(*number)).collect();
        assert_eq!(found, [3, 4, 8]);
    }
}
