//! The session settings that every connection starts with, replication included.
//!
//! A walsender inherits `ALTER DATABASE SET` and `ALTER ROLE SET`, and pgoutput then writes dates, money or
//! floats in that style; sent in the startup packet these settings win over both.
//!
//! They leave statements without a limit, since COPY, index builds, VACUUM and hashing take as long as they take.
//! Everything else has one: [`STATEMENT_LIMIT`] by [`crate::Session::connect_for_control`], and whatever waits for a
//! user's table [`LOCK_LIMIT`].

use std::time::Duration;

/// How long a statement about the catalog or our own tables may take: generous, for it only has to end some day.
pub const STATEMENT_LIMIT: Duration = Duration::from_secs(300);
/// How long a statement may wait for a lock that somebody else has, before its transaction is tried again.
pub const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// Settings known to all supported versions, sent in the startup packet.
pub const SESSION_SETTINGS: &[(&str, &str)] = &[
    ("DateStyle", "ISO,YMD"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmlbinary", "base64"),
    ("xmloption", "content"),
    ("array_nulls", "on"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("search_path", ""),
    ("row_security", "off"),
    ("default_transaction_isolation", "read\\ committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    // The server's own look at whether we are there: by default it keeps the locks of a client that vanished for hours.
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// The settings as libpq's `options` startup parameter.
#[must_use]
pub fn startup_options() -> String {
    SESSION_SETTINGS.iter().map(|(name, value)| format!("-c {name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The settings as pairs, for a startup packet that names each.
#[must_use]
pub fn as_pairs() -> Vec<(String, String)> {
    let plain = |value: &str| value.replace('\\', "");
    SESSION_SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), plain(value))).collect()
}

/// The statement that limits waits for locks in a session.
#[must_use]
pub fn lock_limit_sql(limit: Duration) -> String {
    format!("SET lock_timeout = {}", limit.as_millis().max(1))
}

/// Has commits of a session wait for the server's own disk where server, database or role would not have them wait. Whoever
/// wants them to wait for standbys, too, keeps that; whoever wants less is not made to wait for those.
pub const DURABLE: &str = "SELECT pg_catalog.set_config('synchronous_commit', 'local', false)
 WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

/// What versions after the oldest have added, as SQL to be said once connected; empty for older ones.
#[must_use]
pub fn later_settings(major: u32) -> String {
    let mut sql = String::new();
    if major >= 14 {
        sql.push_str("SET idle_session_timeout = 0;");
    }
    if major >= 17 {
        sql.push_str("SET transaction_timeout = 0;");
    }
    sql
}
