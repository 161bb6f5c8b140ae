//! Proves that two databases hold the same rows, and finds those that differ.
