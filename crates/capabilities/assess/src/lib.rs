//! Says before a move what would break it.
