//! What a server can be asked to be.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::Clock;

/// How passwords are stored and asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordEncryption {
    /// SCRAM, the default from 14 on, and here for 13 too.
    #[default]
    ScramSha256,
    /// MD5, the default of 13 itself.
    Md5,
}

impl PasswordEncryption {
    /// As in `postgresql.conf` and `pg_hba.conf`, which agree.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "scram-sha-256",
            Self::Md5 => "md5",
        }
    }
}

/// A server's certificate chain and private key, both PEM.
#[derive(Clone)]
pub struct TlsFiles {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) required: bool,
}

impl TlsFiles {
    /// Takes a certificate chain and its key as PEM text; connections without TLS stay possible.
    #[must_use]
    pub fn new(certificate: impl Into<String>, key: impl Into<String>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), required: false }
    }

    /// Makes the server refuse TCP connections without TLS.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TlsFiles").field("required", &self.required).finish_non_exhaustive()
    }
}

/// Options of one server. Without any it suits tests: logical WAL, 20 slots and senders, 64 MB of shared buffers and
/// no fsync.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(crate) major: u16,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) parent: Option<PathBuf>,
    pub(crate) password_encryption: PasswordEncryption,
    pub(crate) locale: String,
    pub(crate) durable: bool,
    pub(crate) clock: Vec<(&'static str, OsString)>,
}

/// What every server gets before its own settings.
const DEFAULTS: [(&str, &str); 9] = [
    ("wal_level", "logical"),
    ("max_replication_slots", "20"),
    ("max_wal_senders", "20"),
    ("max_connections", "100"),
    ("shared_buffers", "64MB"),
    ("log_line_prefix", "%m [%p] %q%u@%d/%a "),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
    ("listen_addresses", "127.0.0.1"),
];

impl ServerOptions {
    /// Options for a major version, 13 to 18.
    #[must_use]
    pub fn new(major: u16) -> Self {
        Self {
            major,
            settings: Vec::new(),
            tls: None,
            parent: None,
            password_encryption: PasswordEncryption::default(),
            locale: "C.UTF-8".into(),
            durable: false,
            clock: Vec::new(),
        }
    }

    /// Adds a line to `postgresql.conf`; a later one for the same name wins.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Offers TLS with this certificate.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Makes the server's folder below this one instead of the system's temporary folder. When the caller is root,
    /// everyone must be allowed to enter it.
    #[must_use]
    pub fn parent_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.parent = Some(folder.into());
        self
    }

    /// How passwords are stored and asked for.
    #[must_use]
    pub fn password_encryption(mut self, encryption: PasswordEncryption) -> Self {
        self.password_encryption = encryption;
        self
    }

    /// The locale of the cluster's first databases, `C.UTF-8` unless said. The encoding is UTF8 in any case.
    #[must_use]
    pub fn locale(mut self, name: impl Into<String>) -> Self {
        self.locale = name.into();
        self
    }

    /// Has the server go by a clock that a test moves.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.environment();
        self
    }

    /// Leaves fsync, full_page_writes and synchronous_commit on, for measurements and crash tests.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// The lines to add to `postgresql.conf`.
    pub(crate) fn configuration(&self) -> String {
        let mut settings: Vec<(&str, &str)> = DEFAULTS.to_vec();
        settings.push(("password_encryption", self.password_encryption.name()));
        if !self.durable {
            settings.extend([("fsync", "off"), ("full_page_writes", "off")]);
        }
        if self.tls.is_some() {
            settings.extend([("ssl", "on"), ("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")]);
        }
        settings.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        settings.iter().map(|(name, value)| line(name, value)).collect()
    }

    /// The whole of `pg_hba.conf`. The socket needs no password: its folder is closed to everyone else.
    pub(crate) fn access(&self) -> String {
        let kind = if self.tls.as_ref().is_some_and(|tls| tls.required) { "hostssl" } else { "host" };
        let method = self.password_encryption.name();
        ["all", "replication"]
            .map(|database| format!("local {database} all trust\n{kind} {database} all 127.0.0.1/32 {method}\n"))
            .concat()
    }
}

/// One line of `postgresql.conf`.
pub(crate) fn line(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_comes_after_the_defaults_and_is_quoted() {
        let text = ServerOptions::new(18).setting("wal_level", "it's").configuration();
        assert!(text.ends_with("wal_level = 'it''s'\n"), "{text}");
        assert!(text.starts_with("wal_level = 'logical'\n"), "{text}");
    }

    #[test]
    fn a_durable_server_keeps_fsync() {
        assert!(ServerOptions::new(18).configuration().contains("fsync = 'off'"));
        assert!(!ServerOptions::new(18).durable().configuration().contains("fsync"));
    }

    #[test]
    fn required_tls_leaves_no_way_in_without_it() {
        let options = ServerOptions::new(18).tls(TlsFiles::new("", "").required());
        assert!(options.access().lines().all(|line| line.starts_with("local ") || line.starts_with("hostssl ")));
    }
}
