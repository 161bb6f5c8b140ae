//! Architecture test and generated reference; never shipped.
