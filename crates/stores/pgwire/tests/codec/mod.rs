//! The codec on hand-made and on arbitrary bytes.

mod arbitrary;
mod frames;
mod golden;
mod reported;
