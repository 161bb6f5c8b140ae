//! The settings of a session that outlive its transactions, as one value that belongs to a client and is a label of a
//! server: a server whose label is another one is brought to the client's before the client's first statement.
//!
//! Names are folded to lower case, since Postgres compares them so. The role is one of them: `RESET ALL` and
//! `pg_settings` leave it out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use atalaya_sql::SessionEffects;

/// At most so many settings of one session are carried from server to server.
pub(crate) const SETTINGS_MAX: usize = 512;
/// And so many bytes of their names and values: a value of any size costs a client a few words of SQL.
pub(crate) const SETTINGS_BYTES_MAX: usize = 1 << 20;

const ROLE: &str = "role";
const SESSION_AUTHORIZATION: &str = "session_authorization";

/// Whether a text may mean something else under another value of this setting, when it is parsed.
pub(crate) fn is_read_by_parser(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "search_path"
            | "role"
            | "session_authorization"
            | "client_encoding"
            | "standard_conforming_strings"
            | "backslash_quote"
            | "datestyle"
            | "intervalstyle"
            | "timezone"
            | "timezone_abbreviations"
            | "lc_monetary"
            | "lc_numeric"
            | "array_nulls"
            | "transform_null_equals"
            | "xmloption"
            | "default_text_search_config"
    )
}

/// Settings that differ from what the server gives a new session of this user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Sets one, whatever it was.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_ascii_lowercase(), value);
    }

    /// These, and over them those others.
    pub(crate) fn overlaid(&self, others: &Self) -> Self {
        let mut all = self.clone();
        for (name, value) in &others.0 {
            // A reset leaves a custom setting empty.
            let is_reset = value.is_empty() && name.contains('.') && all.0.contains_key(name);
            if !is_reset {
                all.0.insert(name.clone(), value.clone());
            }
        }
        all
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Names that only an extension or nobody declared: `pg_settings` does not list them.
    pub(crate) fn custom_names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter(|name| name.contains('.')).map(String::as_str)
    }

    /// The statement that sets these where a session has none of its own any more. Not empty, or there is nothing to set.
    pub(crate) fn statement_to_restore(&self) -> String {
        let values: Vec<String> =
            self.iter().map(|(name, value)| format!("({}, {})", quoted(name), quoted(value))).collect();
        // The view leaves out roles, and what nobody declared; a reset leaves those `none` and empty.
        format!(
            "SELECT pg_catalog.set_config(n, v, false) FROM (VALUES {}) AS wanted(n, v) \
             LEFT JOIN pg_catalog.pg_settings AS p ON pg_catalog.lower(p.name) OPERATOR(pg_catalog.=) n \
             WHERE p.source OPERATOR(pg_catalog.<>) 'session' OR p.name IS NULL \
             AND coalesce(pg_catalog.current_setting(n, true), '') OPERATOR(pg_catalog.=) ANY (ARRAY['', 'none'])",
            values.join(", ")
        )
    }

    /// Whether a text with these effects may set or reset one of them.
    pub(crate) fn may_be_reset_by(&self, effects: &SessionEffects) -> bool {
        let is_one = |name: &String| self.0.contains_key(name);
        let names = &effects.setting_names;
        effects.settings
            && !self.0.is_empty()
            && (names.is_empty() || effects.statements > 1 || names.iter().any(is_one))
    }

    /// The statement that turns a session with these settings into one with `wanted`; `None` when nothing differs.
    pub(crate) fn statement_to(&self, wanted: &Self) -> Option<String> {
        if self == wanted {
            return None;
        }
        let mut sql = Statement::default();
        // A role may lack the right to change what the one before set; so roles go first, and come last.
        for name in [ROLE, SESSION_AUTHORIZATION] {
            if self.get(name) != wanted.get(name) && self.get(name).is_some() {
                sql.reset(name);
            }
        }
        let is_role = |name: &str| name == ROLE || name == SESSION_AUTHORIZATION;
        for (name, _) in self.iter().filter(|(name, _)| !is_role(name) && wanted.get(name).is_none()) {
            sql.reset(name);
        }
        for (name, value) in wanted.iter().filter(|(name, value)| !is_role(name) && self.get(name) != Some(*value)) {
            sql.set(name, value);
        }
        for name in [SESSION_AUTHORIZATION, ROLE] {
            if let Some(value) = wanted.get(name).filter(|value| self.get(name) != Some(*value)) {
                sql.set(name, value);
            }
        }
        Some(sql.0)
    }
}

/// One SELECT of `set_config`, whose items are evaluated in order.
#[derive(Default)]
struct Statement(String);

impl Statement {
    fn set(&mut self, name: &str, value: &str) {
        self.item(name, &quoted(value));
    }

    /// NULL resets to what the session began with.
    fn reset(&mut self, name: &str) {
        self.item(name, "NULL");
    }

    fn item(&mut self, name: &str, value: &str) {
        let lead = if self.0.is_empty() { "SELECT" } else { "," };
        // Writing to a text cannot fail.
        let _written = write!(self.0, "{lead} pg_catalog.set_config({}, {value}, false)", quoted(name));
    }
}

/// A literal that means the same whatever `standard_conforming_strings` says.
pub(crate) fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 3);
    literal.push_str("E'");
    for each in text.chars() {
        if matches!(each, '\'' | '\\') {
            literal.push(each);
        }
        literal.push(each);
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.set(name, (*value).to_owned());
        }
        settings
    }

    #[test]
    fn equal_settings_need_no_statement() {
        assert_eq!(settings(&[("TimeZone", "UTC")]).statement_to(&settings(&[("timezone", "UTC")])), None);
    }

    #[test]
    fn the_role_goes_first_and_comes_last() {
        let from = settings(&[("role", "old"), ("work_mem", "1MB")]);
        let to = settings(&[("role", "new"), ("a.b", "it's \\ so")]);
        assert_eq!(
            from.statement_to(&to).unwrap(),
            "SELECT pg_catalog.set_config(E'role', NULL, false), \
             pg_catalog.set_config(E'work_mem', NULL, false), \
             pg_catalog.set_config(E'a.b', E'it''s \\\\ so', false), \
             pg_catalog.set_config(E'role', E'new', false)"
        );
    }
}
