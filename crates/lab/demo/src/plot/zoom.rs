//! What a run did around one moment at which clients were held.

use super::bars::{Canvas, Column, below, draw, ends};
use crate::report::Series;

/// From when till when clients were held, after the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) from_ms: u64,
    pub(crate) until_ms: u64,
}

/// Lengths of a column, in milliseconds.
const COLUMN_MS: [u32; 4] = [100, 50, 20, 10];
/// Columns that a pause should fill at least, so that one can see how long it is.
const COLUMNS_HELD: u64 = 4;

/// The length of a column: the longest of which a pause fills several, and that `series` can be cut into.
pub(crate) fn column_ms(held: Held, series: &Series) -> u32 {
    let length = held.until_ms.saturating_sub(held.from_ms);
    let fits = |ms: &u32| u64::from(*ms) * COLUMNS_HELD <= length && ms.is_multiple_of(series.bucket_ms.max(1));
    COLUMN_MS.into_iter().find(fits).unwrap_or(series.bucket_ms)
}

/// As much of the series as there is room for, with clients' being held in its middle and marked below it.
pub(crate) fn zoom(series: &Series, held: Held, canvas: Canvas) -> Vec<String> {
    let column_ms = u64::from(column_ms(held, series)).max(1);
    let per_column = usize::try_from(column_ms / u64::from(series.bucket_ms.max(1))).unwrap_or(1).max(1);
    let counts: Vec<u32> = series.committed.chunks(per_column).map(|buckets| buckets.iter().sum()).collect();
    let begins_ms = |column: usize| series.from_ms + u64::try_from(column).unwrap_or(0) * column_ms;
    let middle_ms = u64::midpoint(held.from_ms, held.until_ms).saturating_sub(series.from_ms);
    let middle = usize::try_from(middle_ms / column_ms).unwrap_or(0);
    let first = middle.saturating_sub(canvas.bars() / 2).min(counts.len().saturating_sub(canvas.bars()));
    let shown: Vec<(usize, u32)> = counts.into_iter().enumerate().skip(first).take(canvas.bars()).collect();
    let columns: Vec<Column> = shown.iter().map(|(_, count)| Column { low: *count, high: *count }).collect();
    let signs: String = shown
        .iter()
        .map(|(column, _)| {
            let (from, until) = (begins_ms(*column), begins_ms(*column + 1));
            if from < held.until_ms && until > held.from_ms { '^' } else { ' ' }
        })
        .collect();
    let beside = |ms: u64| {
        let (sign, apart) = if ms < held.from_ms { ('-', held.from_ms - ms) } else { ('+', ms - held.from_ms) };
        format!("{sign}{}.{:02} s", apart / 1000, apart % 1000 / 10)
    };
    let (from, until) = (begins_ms(first), begins_ms(first + shown.len()));
    let mut lines = draw(&columns, None, canvas);
    lines.push(below(&signs));
    lines.push(ends(&beside(from), &beside(until), columns.len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2.08 s in slots of 10 ms, 6 commits each, none from 1,000 to 1,080 ms, and what waited after that.
    fn around() -> Series {
        let mut committed = vec![6; 208];
        committed[100..108].fill(0);
        committed[108] = 54;
        Series { from_ms: 50_000, bucket_ms: 10, committed }
    }

    const HELD: Held = Held { from_ms: 51_000, until_ms: 51_080 };

    #[test]
    fn a_pause_is_seen_as_long_as_it_is_and_named_below() {
        let lines = zoom(&around(), HELD, Canvas::terminal(120));
        let columns = |line: &str, of: char| line.chars().filter(|each| *each == of).count();
        // 20 ms a column.
        assert_eq!(lines.len(), 8);
        let lowest: Vec<char> = lines[5].chars().collect();
        let gap = lowest.iter().skip(8).take_while(|bar| **bar != ' ').count() + 8;
        assert_eq!(lowest[gap..gap + 4], [' '; 4], "{lines:#?}");
        assert_eq!(columns(&lines[5], ' '), 7 + 4, "{lines:#?}");
        assert_eq!(columns(&lines[6], '^'), 4);
        assert_eq!(lines[6].find('^'), Some(gap), "{lines:#?}");
        assert!(lines[0].starts_with("    60 │"), "{}", lines[0]);
        assert!(lines[7].trim_start().starts_with("-1.00 s") && lines[7].ends_with("+1.08 s"), "{}", lines[7]);
    }

    #[test]
    fn a_narrow_canvas_shows_what_is_near() {
        let lines = zoom(&around(), HELD, Canvas::terminal(48));
        assert!(lines[7].trim_start().starts_with("-0.36 s") && lines[7].ends_with("+0.44 s"), "{}", lines[7]);
        assert_eq!(lines[6].chars().filter(|each| *each == '^').count(), 4);
    }

    #[test]
    fn columns_are_as_short_as_the_pause_needs_and_no_shorter_than_what_is_known() {
        let of = |length_ms| column_ms(Held { from_ms: 0, until_ms: length_ms }, &around());
        assert_eq!([20, 45, 90, 250, 400, 3_000].map(of), [10, 10, 20, 50, 100, 100]);
    }

    #[test]
    fn a_pause_at_the_very_start_is_no_reason_to_fail() {
        let early = Series { from_ms: 0, bucket_ms: 10, committed: vec![0, 3] };
        let lines = zoom(&early, Held { from_ms: 0, until_ms: 8 }, Canvas::PLAIN);
        assert_eq!(lines, ["     3 │ █", "        ^", "        +0.00 s +0.02 s"]);
    }
}
