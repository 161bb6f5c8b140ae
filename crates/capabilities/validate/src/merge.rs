//! Rows of one key (of one content, without a key) on both sides, and what is wrong between them.
//!
//! Multisets, not sets: a row that stands twice on one side and once on the other is a difference.

use crate::entries::{Entry, Location};

/// Rows of one content; most places are not kept when there are many.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    row: i64,
    count: u64,
    places: Vec<Location>,
}

/// All rows of one key hash.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The key hash.
    pub(crate) key: i64,
    source: Vec<Variant>,
    target: Vec<Variant>,
}

/// Places kept of rows with one content.
const PLACES_MAX: usize = 1000;

/// Numbers of differing rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) missing: u64,
    pub(crate) extra: u64,
    pub(crate) different: u64,
}

/// One differing row; at least one side has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) source: Option<Location>,
    pub(crate) target: Option<Location>,
}

/// How often each content stands on both sides; equal in two looks means that nothing moved.
pub(crate) type Signature = (Vec<(i64, u64)>, Vec<(i64, u64)>);

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.missing += other.missing;
        self.extra += other.extra;
        self.different += other.different;
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl Group {
    pub(crate) fn new(key: i64) -> Self {
        Self { key, source: Vec::new(), target: Vec::new() }
    }

    pub(crate) fn add_source(&mut self, entry: Entry) {
        add(&mut self.source, entry);
    }

    pub(crate) fn add_target(&mut self, entry: Entry) {
        add(&mut self.target, entry);
    }

    /// Rows on the source, and on the target.
    pub(crate) fn rows(&self) -> (u64, u64) {
        let sum = |variants: &[Variant]| variants.iter().map(|variant| variant.count).sum();
        (sum(&self.source), sum(&self.target))
    }

    pub(crate) fn signature(&self) -> Signature {
        let counts = |variants: &[Variant]| variants.iter().map(|variant| (variant.row, variant.count)).collect();
        (counts(&self.source), counts(&self.target))
    }

    /// How many rows differ. Rows of one content on both sides are taken off against each other; what is
    /// left over on both sides is different, the rest missing or extra.
    pub(crate) fn tally(&self) -> Tally {
        let missing: u64 = surplus(&self.source, &self.target).map(|(_, count)| count).sum();
        let extra: u64 = surplus(&self.target, &self.source).map(|(_, count)| count).sum();
        let different = missing.min(extra);
        Tally { missing: missing - different, extra: extra - different, different }
    }

    /// The differing rows, as far as their places were kept.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let mut source = surplus_places(&self.source, &self.target).into_iter();
        let mut target = surplus_places(&self.target, &self.source).into_iter();
        let mut differences = Vec::new();
        loop {
            let difference = Difference { source: source.next(), target: target.next() };
            if difference.source.is_none() && difference.target.is_none() {
                return differences;
            }
            differences.push(difference);
        }
    }
}

fn add(variants: &mut Vec<Variant>, entry: Entry) {
    // Entries come in the order of their hashes: those of one content stand together.
    match variants.last_mut() {
        Some(last) if last.row == entry.row => {
            last.count += 1;
            if last.places.len() < PLACES_MAX {
                last.places.push(entry.location);
            }
        }
        _ => variants.push(Variant { row: entry.row, count: 1, places: vec![entry.location] }),
    }
}

/// Contents that stand more often in `here` than in `there`, and by how much.
fn surplus<'all>(here: &'all [Variant], there: &'all [Variant]) -> impl Iterator<Item = (&'all Variant, u64)> {
    here.iter().filter_map(|variant| {
        let other = there.iter().find(|other| other.row == variant.row).map_or(0, |other| other.count);
        (variant.count > other).then(|| (variant, variant.count - other))
    })
}

fn surplus_places(here: &[Variant], there: &[Variant]) -> Vec<Location> {
    surplus(here, there)
        .flat_map(|(variant, count)| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            // Of equal rows any can be called the surplus one; the last is likely the latest.
            variant.places.iter().rev().take(count).cloned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(source: &[i64], target: &[i64]) -> Group {
        let entry =
            |row: &i64| Entry { key: 1, row: *row, location: Location { relation: 1, place: format!("(0,{row})") } };
        let mut group = Group::new(1);
        source.iter().map(entry).for_each(|entry| group.add_source(entry));
        target.iter().map(entry).for_each(|entry| group.add_target(entry));
        group
    }

    #[test]
    fn equal_rows_cancel_out_as_often_as_they_stand() {
        assert!(group(&[1, 1, 2], &[1, 1, 2]).tally().is_zero());
        let tally = group(&[1, 1], &[1, 1, 1]).tally();
        assert_eq!((tally.missing, tally.extra, tally.different), (0, 1, 0));
        let tally = group(&[1, 2], &[]).tally();
        assert_eq!((tally.missing, tally.extra, tally.different), (2, 0, 0));
    }

    #[test]
    fn what_is_left_on_both_sides_is_different() {
        let group = group(&[1, 2], &[2, 3]);
        let tally = group.tally();
        assert_eq!((tally.missing, tally.extra, tally.different), (0, 0, 1));
        let differences = group.differences();
        assert_eq!(differences.len(), 1);
        assert_eq!(differences[0].source.as_ref().unwrap().place, "(0,1)");
        assert_eq!(differences[0].target.as_ref().unwrap().place, "(0,3)");
    }
}
