//! Bytes as a socket gives them.

use proptest::sample::Index;

/// The same bytes in pieces, cut at these places; some may be empty.
#[must_use]
pub fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    let mut cut = |end| bytes.get(std::mem::replace(&mut start, end)..end).unwrap_or_default();
    places.into_iter().map(&mut cut).collect()
}
