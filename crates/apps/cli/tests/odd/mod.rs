//! What few databases have, and a move must get right all the same: odd names, odd tables, other encodings.

mod columns;
mod encodings;
mod names;
