//! What a transaction may have left in the session of its server, by its statements' texts, and what it has left, by the
//! server's own word.
//!
//! Texts decide only whether the server is asked. What is asked is what is true after the transaction: a setting that was
//! rolled back is not there, whatever set it.

use std::collections::{BTreeMap, BTreeSet};

use atalaya_pgwire::CodecError;
use atalaya_sql::{Discard, PreparedAction, SessionEffects};

use super::pins::{Pin, Pins};
use super::statements::{STATEMENTS_BYTES_MAX, STATEMENTS_MAX};
use crate::server::RESERVED_PREFIX;
use crate::settings::{SETTINGS_BYTES_MAX, SETTINGS_MAX, Settings, quoted};

/// More names than this are not asked for one by one: their client keeps its server.
const NAMES_MAX: usize = 256;

/// What the statements of a transaction may leave.
#[derive(Debug, Default)]
pub(super) struct Left {
    settings: bool,
    objects: bool,
    unknown: bool,
    unseen: bool,
    prepared: bool,
    drops_all: bool,
    names: BTreeSet<String>,
}

impl Left {
    pub(super) fn add(&mut self, effects: &SessionEffects) {
        self.settings |= effects.settings;
        self.objects |= effects.session_objects;
        self.unknown |= effects.unknown;
        self.unseen |= effects.cannot_be_handed_over;
        self.prepared |= !effects.prepared.is_empty();
        let drops_all = |action: PreparedAction| action == PreparedAction::DeallocateAll;
        self.drops_all |= effects.prepared.iter().any(|used| drops_all(used.action));
        if let Some(Discard::All) = effects.discards {
            self.drops_all = true;
            self.settings = true;
            self.objects = true;
        }
        self.objects |= effects.discards.is_some();
        // Ours are nobody's to drop; whether they are still there is asked.
        self.unknown |= effects.prepared.iter().any(|used| used.name.as_bytes().starts_with(RESERVED_PREFIX));
        for name in &effects.setting_names {
            if self.names.len() < NAMES_MAX {
                self.names.insert(name.clone());
            } else {
                // One that nobody declared is seen by no query that does not name it.
                self.unseen = true;
            }
        }
    }

    /// A statement that nobody looked at.
    pub(super) fn add_unknown(&mut self) {
        self.unknown = true;
    }

    /// A definition that may be of something temporary.
    pub(super) fn add_objects(&mut self) {
        self.objects = true;
    }

    pub(super) fn may_change_settings(&self) -> bool {
        self.settings || self.unknown
    }

    /// Statements stand at the server under the client's own names.
    pub(super) fn note_prepared(&mut self) {
        self.prepared = true;
    }

    pub(super) fn is_plain(&self) -> bool {
        !(self.settings || self.objects || self.unknown || self.unseen || self.prepared)
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.unknown
    }

    pub(super) fn binds_unseen(&self) -> bool {
        self.unseen
    }

    pub(super) fn looked_at_settings(&self) -> bool {
        self.settings || self.unknown
    }

    pub(super) fn looked_at_objects(&self) -> bool {
        self.objects || self.unknown
    }

    pub(super) fn looked_at_prepared(&self) -> bool {
        self.prepared || self.unknown || self.drops_all
    }

    /// The statement by which the server is asked. `names` are custom settings that the client has already.
    pub(super) fn question(&self, names: Vec<String>) -> String {
        let mut parts = Vec::new();
        if self.looked_at_settings() {
            parts.push(
                "SELECT 's', name, setting FROM pg_catalog.pg_settings \
                 WHERE source OPERATOR(pg_catalog.=) 'session'"
                    .to_owned(),
            );
            let fixed = ["role", "session_authorization"].map(str::to_owned);
            let all: BTreeSet<String> = fixed.into_iter().chain(names).chain(self.names.iter().cloned()).collect();
            let values: Vec<String> = all.iter().map(|name| format!("({})", quoted(name))).collect();
            parts.push(format!(
                "SELECT 's', n, pg_catalog.current_setting(n, true) FROM (VALUES {}) AS v(n) \
                 WHERE n OPERATOR(pg_catalog.=) ANY (ARRAY['role', 'session_authorization']) \
                 OR pg_catalog.strpos(n, '.') OPERATOR(pg_catalog.>) 0",
                values.join(", ")
            ));
        }
        if self.looked_at_objects() {
            parts.push(OBJECTS.to_owned());
        }
        if self.looked_at_prepared() {
            parts.push(format!(
                "SELECT 'p', name, CASE WHEN from_sql THEN statement ELSE '' END \
                 FROM pg_catalog.pg_prepared_statements WHERE NOT pg_catalog.starts_with(name, '{}')",
                String::from_utf8_lossy(RESERVED_PREFIX)
            ));
        }
        if self.unknown {
            parts.push(format!(
                "SELECT 'n', CAST(pg_catalog.count(*) AS pg_catalog.text), NULL \
                 FROM pg_catalog.pg_prepared_statements WHERE pg_catalog.starts_with(name, '{}')",
                String::from_utf8_lossy(RESERVED_PREFIX)
            ));
        }
        parts.join(" UNION ALL ")
    }
}

/// What binds a session to its server.
///
/// Every operator is named with its schema: a client may have its own found before.
const OBJECTS: &str = "SELECT 'o', 't', NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_class \
     WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) \
     OR EXISTS (SELECT FROM pg_catalog.pg_proc \
     WHERE pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) \
     OR EXISTS (SELECT FROM pg_catalog.pg_type \
     WHERE typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) \
     UNION ALL SELECT 'o', 'l', NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) \
     UNION ALL SELECT 'o', 'c', NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) \
     UNION ALL SELECT 'o', 'a', NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_locks \
     WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())";

/// What the server says.
#[derive(Debug, Default)]
pub(super) struct Leavings {
    settings: BTreeMap<String, String>,
    settings_bytes: usize,
    pins: Pins,
    prepared: Vec<(String, String)>,
    prepared_bytes: usize,
    has_more_prepared: bool,
    own_prepared: Option<usize>,
    is_incomplete: bool,
    /// The client's limit on a statement's time, where it was put aside for the question.
    time_limit: Option<String>,
}

impl Leavings {
    /// One row of the answer: what it is about, a name, a value.
    pub(super) fn read_row(&mut self, body: &[u8]) -> Result<(), CodecError> {
        let (kind, name, value) = row(body).ok_or(CodecError::Invalid { message: "row", field: "column" })?;
        match (kind.as_deref(), name.as_deref()) {
            (Some("s"), Some(name)) => self.add_setting(name, value),
            (Some("o"), Some("t")) => self.pins.set(Pin::TemporaryObjects),
            (Some("o"), Some("l")) => self.pins.set(Pin::Listening),
            (Some("o"), Some("c")) => self.pins.set(Pin::HeldCursor),
            (Some("o"), Some("a")) => self.pins.set(Pin::AdvisoryLock),
            (Some("l"), _) => self.time_limit = value,
            (Some("n"), Some(count)) => self.own_prepared = count.parse().ok(),
            (Some("p"), Some(name)) => {
                let text = value.unwrap_or_default();
                self.prepared_bytes += name.len() + text.len();
                if self.prepared.len() < STATEMENTS_MAX && self.prepared_bytes <= STATEMENTS_BYTES_MAX {
                    self.prepared.push((name.to_owned(), text));
                } else {
                    self.has_more_prepared = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_setting(&mut self, name: &str, value: Option<String>) {
        let Some(value) = value else { return };
        let name = name.to_ascii_lowercase();
        // One that an extension declared comes twice, if it is asked for by its name, too.
        if self.settings.get(&name) == Some(&value) {
            return;
        }
        let bytes = self.settings_bytes.saturating_add(name.len() + value.len());
        if self.settings.len() < SETTINGS_MAX && bytes <= SETTINGS_BYTES_MAX {
            self.settings_bytes = bytes;
            self.settings.insert(name, value);
        } else {
            self.is_incomplete = true;
        }
    }

    pub(super) fn pins(&self) -> Pins {
        self.pins
    }

    /// Whether there are more settings, or larger ones, than are read.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// How many of the gateway's own statements the server has, where that was asked.
    pub(super) fn own_prepared(&self) -> Option<usize> {
        self.own_prepared
    }

    /// Names under which the server has statements that are not the gateway's, and the texts of those from SQL.
    pub(super) fn prepared(&self) -> impl Iterator<Item = (&str, &str)> {
        self.prepared.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Whether there are more of them than a client may have.
    pub(super) fn has_more_prepared(&self) -> bool {
        self.has_more_prepared
    }

    /// The settings of the server's session.
    pub(super) fn settings(&self, user: &str) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in &self.settings {
            let is_nobody = name == "role" && value == "none";
            let is_user = name == "session_authorization" && value == user;
            if !is_nobody && !is_user {
                settings.set(name, value.clone());
            }
        }
        if let Some(limit) = &self.time_limit {
            settings.set("statement_timeout", limit.clone());
        }
        settings
    }
}

/// Three columns as texts.
fn row(body: &[u8]) -> Option<(Option<String>, Option<String>, Option<String>)> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    if u16::from_be_bytes(*count) != 3 {
        return None;
    }
    let mut column = || -> Option<Option<String>> {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Some(None) };
        let (text, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(Some(String::from_utf8_lossy(text).into_owned()))
    };
    Some((column()?, column()?, column()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(columns: [Option<&str>; 3]) -> Vec<u8> {
        let mut body = vec![0, 3];
        for column in columns {
            match column {
                None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
                Some(text) => {
                    body.extend_from_slice(&i32::try_from(text.len()).unwrap().to_be_bytes());
                    body.extend_from_slice(text.as_bytes());
                }
            }
        }
        body
    }

    #[test]
    fn settings_that_were_reset_go_back_to_the_startup_packets() {
        let mut startup = Settings::default();
        startup.set("work_mem", "1MB".to_owned());
        let mut leavings = Leavings::default();
        for row in [["s", "DateStyle", "ISO, DMY"], ["s", "role", "none"], ["s", "session_authorization", "ann"]] {
            leavings.read_row(&body(row.map(Some))).unwrap();
        }
        let found = leavings.settings("ann");
        assert_eq!(found.iter().collect::<Vec<_>>(), [("datestyle", "ISO, DMY")]);
        let wanted = startup.overlaid(&found);
        assert_eq!(wanted.iter().collect::<Vec<_>>(), [("datestyle", "ISO, DMY"), ("work_mem", "1MB")]);
    }

    #[test]
    fn settings_are_read_up_to_a_number_and_a_size_and_that_there_are_more_is_told() {
        let mut many = Leavings::default();
        for number in 0..=SETTINGS_MAX {
            assert!(!many.is_incomplete(), "{number}");
            many.read_row(&body([Some("s"), Some(&format!("a.{number}")), Some("x")])).unwrap();
        }
        assert!(many.is_incomplete() && many.settings("ann").len() == SETTINGS_MAX);
        let mut large = Leavings::default();
        large.read_row(&body([Some("s"), Some("a.a"), Some(&"x".repeat(SETTINGS_BYTES_MAX - 10))])).unwrap();
        assert!(!large.is_incomplete());
        large.read_row(&body([Some("s"), Some("a.b"), Some(&"x".repeat(10))])).unwrap();
        // What fits is read still.
        large.read_row(&body([Some("s"), Some("a.c"), Some("x")])).unwrap();
        assert!(large.is_incomplete() && large.settings("ann").len() == 2);
    }

    #[test]
    fn a_row_that_is_cut_off_is_an_error() {
        let whole = body([Some("o"), Some("t"), None]);
        let mut leavings = Leavings::default();
        leavings.read_row(&whole).unwrap();
        assert!(leavings.pins().has(Pin::TemporaryObjects));
        for length in 0..whole.len() {
            assert!(leavings.read_row(&whole[..length]).is_err(), "{length}");
        }
    }
}
