//! A plain schema script, cut at the comments that pg_dump puts before each entry.
//!
//! No psql reads it: a backslash command in a script has no effect here.

use std::path::Path;

use crate::Error;

/// One entry: usually one statement and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As in `TABLE`, `FK CONSTRAINT`.
    pub(crate) kind: String,
    /// Schema and name.
    pub(crate) name: String,
    /// Its statements.
    pub(crate) sql: String,
}

/// A whole script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The major version of the server that it was made of, where it says so.
    pub(crate) major: Option<u16>,
    /// Its entries, in order.
    pub(crate) entries: Vec<Entry>,
}

const FROM_VERSION: &str = "-- Dumped from database version ";
const NAME: &str = "-- Name: ";
/// What has no place in a throwaway clone: it would reach for other servers.
const SKIPPED: [&str; 5] =
    ["PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "SUBSCRIPTION", "USER MAPPING"];

impl Script {
    /// Reads a file, and refuses what is no schema alone.
    pub(crate) fn read_file(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::File { action: "read", path: path.into(), source })?;
        let refused = |what| Error::Script { path: path.into(), what };
        if bytes.starts_with(b"PGDMP") {
            return Err(refused("is an archive, not a plain script"));
        }
        let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))?;
        if text.lines().any(holds_rows) {
            return Err(refused("holds rows, and a drill takes a schema alone"));
        }
        let script = Self::parse(&text);
        if script.entries.is_empty() { Err(refused("has none of pg_dump's entries")) } else { Ok(script) }
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut script = Self { major: None, entries: Vec::new() };
        let mut before = "";
        for line in text.lines() {
            if let Some(version) = line.strip_prefix(FROM_VERSION) {
                script.major = version.split(['.', ' ']).next().and_then(|major| major.parse().ok());
            }
            match heading(line).filter(|_| before == "--") {
                Some(entry) => script.entries.push(entry),
                // What stands before the first entry are settings, which the restoring session has of its own.
                None => {
                    if let Some(entry) = script.entries.last_mut().filter(|_| !is_psqls_own(line)) {
                        entry.sql.push_str(line);
                        entry.sql.push('\n');
                    }
                }
            }
            before = line;
        }
        script.entries.retain(|entry| !SKIPPED.contains(&entry.kind.as_str()));
        script
    }
}

fn holds_rows(line: &str) -> bool {
    line.starts_with("-- Data for Name: ") || (line.starts_with("COPY ") && line.ends_with(" FROM stdin;"))
}

/// `-- Name: item; Type: TABLE; Schema: public; Owner: shop`
fn heading(line: &str) -> Option<Entry> {
    // From the end: a name may hold anything.
    let (rest, _owner) = line.strip_prefix(NAME)?.rsplit_once("; Owner: ")?;
    let (rest, schema) = rest.rsplit_once("; Schema: ")?;
    let (name, kind) = rest.rsplit_once("; Type: ")?;
    let name = if schema == "-" { name.to_owned() } else { format!("{schema}.{name}") };
    Some(Entry { kind: kind.to_owned(), name, sql: String::new() })
}

/// The pair that newer versions put around a script.
fn is_psqls_own(line: &str) -> bool {
    line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\n-- Dumped from database version 13.23\nSET a = 1;\n\n\
        --\n-- Name: it; Type: em; Type: TABLE; Schema: public; Owner: shop\n--\n\nCREATE TABLE x ();\n\n\
        --\n-- Name: p; Type: PUBLICATION; Schema: -; Owner: shop\n--\n\nCREATE PUBLICATION p;\n\n\\unrestrict x\n";

    #[test]
    fn a_script_is_cut_at_its_headings_whatever_a_name_holds() {
        let script = Script::parse(TEXT);
        assert_eq!(script.major, Some(13));
        assert_eq!(script.entries.len(), 1);
        assert_eq!(
            (script.entries[0].kind.as_str(), script.entries[0].name.as_str()),
            ("TABLE", "public.it; Type: em")
        );
        assert!(script.entries[0].sql.contains("CREATE TABLE x ();"));
    }

    #[test]
    fn rows_and_archives_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in
            ["COPY public.a (b) FROM stdin;\n", "-- Data for Name: a; Type: TABLE DATA\n", "PGDMP", "SELECT 1;\n"]
        {
            std::fs::write(file.path(), text).unwrap();
            assert!(matches!(Script::read_file(file.path()), Err(Error::Script { .. })), "{text}");
        }
    }
}
