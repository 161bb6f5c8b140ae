//! A whole run in as many columns as there are.

use super::bars::{Canvas, Column, below, draw, ends};
use crate::report::Series;

/// A place on the time axis that is named below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where, after the run's start.
    pub(crate) at_ms: u64,
    /// By what.
    pub(crate) sign: char,
}

/// The whole series with what is marked on it, and a line before it that says how to read it.
pub(crate) fn overview(series: &Series, marks: &[Mark], canvas: Canvas) -> Vec<String> {
    let per_column = series.committed.len().div_ceil(canvas.bars()).max(1);
    let columns: Vec<Column> = series
        .committed
        .chunks(per_column)
        .map(|buckets| Column {
            low: buckets.iter().copied().min().unwrap_or(0),
            high: buckets.iter().copied().max().unwrap_or(0),
        })
        .collect();
    let column_ms = u64::from(series.bucket_ms) * u64::try_from(per_column).unwrap_or(1);
    let all_ms = u64::from(series.bucket_ms) * u64::try_from(series.committed.len()).unwrap_or(0);
    let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    let mut lines = vec![match per_column {
        1 => format!("commits per {} ms", series.bucket_ms),
        _ => format!(
            "commits per {} ms; a column is {}: solid its slowest {} ms, shaded its fastest",
            series.bucket_ms,
            seconds(column_ms),
            series.bucket_ms
        ),
    }];
    lines.extend(draw(&columns, top(series), canvas));
    lines.push(ends("0 s", &seconds(all_ms), columns.len()));
    if !marks.is_empty() {
        lines.push(below(&signs(marks, column_ms)));
    }
    lines
}

/// Twice what the buckets have that have any, half of them at least: clients that were held make up for it at once, and
/// nothing else would be seen beside that.
fn top(series: &Series) -> Option<u32> {
    let mut counts: Vec<u32> = series.committed.iter().copied().filter(|count| *count > 0).collect();
    counts.sort_unstable();
    counts.get(counts.len() / 2).map(|median| median.saturating_mul(2))
}

/// Each sign below its column, or the next one that is free.
fn signs(marks: &[Mark], column_ms: u64) -> String {
    let mut line: Vec<char> = Vec::new();
    for mark in marks {
        let column = usize::try_from(mark.at_ms / column_ms.max(1)).unwrap_or(usize::MAX);
        let column = column.max(line.len());
        line.resize(column, ' ');
        line.push(mark.sign);
    }
    line.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(committed: Vec<u32>) -> Series {
        Series { from_ms: 0, bucket_ms: 100, committed }
    }

    #[test]
    fn a_gap_of_one_bucket_in_a_long_run_is_seen_at_its_place() {
        // 200 s in 92 columns: 22 buckets each.
        let mut committed = vec![60; 2_000];
        committed[1_000] = 0;
        let marks = [Mark { at_ms: 100_000, sign: '1' }];
        let lines = overview(&series(committed), &marks, Canvas::PLAIN);
        assert_eq!(lines[0], "commits per 100 ms; a column is 2.2 s: solid its slowest 100 ms, shaded its fastest");
        let (bars, signs): (Vec<char>, Vec<char>) = (lines[1].chars().collect(), lines[3].chars().collect());
        assert_eq!(bars.iter().filter(|bar| **bar == '█').count(), 90, "{}", lines[1]);
        let gap = bars.iter().position(|bar| *bar == '░').unwrap();
        assert_eq!(signs.iter().position(|sign| *sign == '1'), Some(gap), "{lines:#?}");
        assert!(lines[2].contains("0 s") && lines[2].ends_with("200.0 s"), "{}", lines[2]);
    }

    #[test]
    fn what_clients_make_up_for_hides_nothing_else() {
        let lines = overview(&series(vec![20, 20, 20, 0, 400, 20]), &[], Canvas::PLAIN);
        assert_eq!(lines[1], "   40+ │▄▄▄ █▄");
    }

    #[test]
    fn a_short_run_has_a_column_a_bucket_and_marks_beside_each_other() {
        let marks = [0, 150, 160].map(|at_ms| Mark { at_ms, sign: 'x' });
        let lines = overview(&series(vec![4, 0, 2, 4]), &marks, Canvas::PLAIN);
        assert_eq!(lines, ["commits per 100 ms", "     4 │█ ▄█", "        0 s 0.4 s", "        xxx"]);
    }

    #[test]
    fn nothing_is_drawn_as_nothing() {
        assert_eq!(overview(&series(Vec::new()), &[], Canvas::terminal(80)).len(), 8);
    }
}
