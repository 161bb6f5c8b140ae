//! Where changes wait on disk while the copy runs: not built yet.
//!
//! Until then the source's slot keeps what the copy has not caught up with. Columns `received` and `spool` of
//! `atalaya.progress` are the room kept for it.
