//! Where changes wait on disk while the copy runs: not built yet.
//!
//! Until then the source's slot keeps what the copy has not caught up with, and large transactions stay in
//! the walsender's own spill files (pgoutput's `streaming` stays off). Columns `received` and `spool` of
//! `atalaya.progress` are the room kept for it.
