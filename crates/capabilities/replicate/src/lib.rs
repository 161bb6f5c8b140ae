//! Moves a live database: schema, copy, stream, apply, progress.
