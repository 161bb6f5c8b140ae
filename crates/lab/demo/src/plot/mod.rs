//! Commits over time as text: blocks for a terminal of any width, one row of them elsewhere. Pure: series in, lines out.
//!
//! A gap must never be hidden by what stands beside it. So a column that has to show several buckets is solid up to its
//! lowest bucket, and shaded from there to its highest; and a blank is drawn for no commit alone, never for a few.

mod bars;
mod overview;
mod zoom;

pub use bars::Canvas;
pub(crate) use overview::{Mark, overview};
pub(crate) use zoom::{Held, column_ms, zoom};
