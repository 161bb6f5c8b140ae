//! Columns of counts as rows of blocks.

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What some buckets of a column reach, and others do not.
const SHADE: char = '░';
/// Columns before the first bar: a number and the axis.
const MARGIN: usize = 8;

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canvas {
    columns: u16,
    rows: u16,
}

impl Canvas {
    /// Where nobody knows how wide the paper is: one row, 100 columns.
    pub const PLAIN: Self = Self { columns: 100, rows: 1 };

    /// A terminal of so many columns.
    #[must_use]
    pub fn terminal(columns: u16) -> Self {
        Self { columns: columns.clamp(40, 240), rows: 6 }
    }

    /// Bars that fit beside the axis.
    pub(super) fn bars(self) -> usize {
        usize::from(self.columns).saturating_sub(MARGIN)
    }
}

/// What one column has to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    /// Its lowest bucket.
    pub(super) low: u32,
    /// Its highest.
    pub(super) high: u32,
}

/// The rows from the highest to the lowest, with the axis before them, and without blanks at their ends. What is above `top`
/// is cut off there, and the axis says so; without it nothing is.
pub(super) fn draw(columns: &[Column], top: Option<u32>, canvas: Canvas) -> Vec<String> {
    let highest = columns.iter().map(|column| column.high).max().unwrap_or(0);
    let top = top.unwrap_or(highest).min(highest).max(1);
    let cut = if highest > top { "+" } else { "" };
    (0..canvas.rows)
        .rev()
        .map(|row| {
            let label = if row + 1 == canvas.rows { format!("{top}{cut}") } else { String::new() };
            let bars: String = columns.iter().map(|column| cell(*column, top, canvas.rows, row)).collect();
            format!("{label:>6} │{}", bars.trim_end())
        })
        .collect()
}

/// A line below the axis, with characters at some columns.
pub(super) fn below(text: &str) -> String {
    format!("{:MARGIN$}{}", "", text.trim_end())
}

/// A time at either end of a line as long as the columns.
pub(super) fn ends(first: &str, last: &str, columns: usize) -> String {
    let between = columns.saturating_sub(first.chars().count() + last.chars().count()).max(1);
    below(&format!("{first}{:between$}{last}", ""))
}

fn cell(column: Column, top: u32, rows: u16, row: u16) -> char {
    let below = u64::from(row) * 8;
    // Rounded up: whatever is there is seen.
    let height = |count: u32| (u64::from(count) * u64::from(rows) * 8).div_ceil(u64::from(top));
    let solid = usize::try_from(height(column.low).saturating_sub(below)).unwrap_or(usize::MAX).min(8);
    match EIGHTHS.get(solid) {
        Some(block) if solid > 0 => *block,
        _ if height(column.high) > below => SHADE,
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(counts: &[(u32, u32)]) -> Vec<Column> {
        counts.iter().map(|(low, high)| Column { low: *low, high: *high }).collect()
    }

    #[test]
    fn bars_are_as_high_as_their_counts_and_only_nothing_is_blank() {
        let plain =
            draw(&columns(&[(0, 0), (1, 1), (50, 50), (100, 100), (1_600, 1_600), (0, 0)]), None, Canvas::PLAIN);
        assert_eq!(plain, ["  1600 │ ▁▁▁█"]);
        let tall = draw(&columns(&[(8, 8), (4, 4), (1, 1), (0, 0), (8, 8)]), None, Canvas { columns: 80, rows: 2 });
        assert_eq!(tall, ["     8 │█   █", "       │██▂ █"]);
    }

    #[test]
    fn what_only_some_buckets_reach_is_shaded_so_that_the_lowest_is_seen() {
        let rows = draw(&columns(&[(8, 8), (0, 8), (4, 8), (0, 0)]), None, Canvas { columns: 80, rows: 2 });
        assert_eq!(rows, ["     8 │█░░", "       │█░█"]);
    }

    #[test]
    fn what_is_cut_off_is_said() {
        let rows = draw(&columns(&[(4, 4), (8, 8), (90, 90)]), Some(8), Canvas::PLAIN);
        assert_eq!(rows, ["    8+ │▄██"]);
        assert_eq!(draw(&columns(&[(4, 4)]), Some(8), Canvas::PLAIN), ["     4 │█"]);
    }
}
