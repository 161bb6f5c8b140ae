//! The SQL of many entries out of one run of pg_restore: a process an entry costs more than building a small index.
//!
//! pg_restore says before each entry which one it is. Only when it has said so of all of them, in their order and of no
//! other, is its output divided; text of the source's that looks like such a line makes every entry go by itself.

use std::collections::HashMap;

use super::archive::Archive;
use super::entry::Entry;
use crate::Error;

/// What `pg_restore --verbose` writes before an entry, up to its number.
const HEADER: &str = "\n--\n-- TOC entry ";

/// Scripts of some entries, by the entries' numbers.
pub(super) struct Scripts<'a> {
    archive: &'a Archive,
    /// Settings of the session, which stand at the head of each script.
    head: String,
    /// Each entry's text by its number; nothing where the output could not be divided.
    parts: HashMap<String, String>,
}

impl<'a> Scripts<'a> {
    /// Takes the SQL of all these entries out of the archive.
    pub(super) async fn of(archive: &'a Archive, entries: &[&Entry]) -> Result<Self, Error> {
        if entries.len() < 2 {
            return Ok(Self { archive, head: String::new(), parts: HashMap::new() });
        }
        let sql = archive.sql_with_headers(entries).await?;
        let (head, parts) = divide(&sql, entries).unwrap_or_default();
        Ok(Self { archive, head, parts })
    }

    /// The script of one entry, as if pg_restore had been asked for it alone.
    pub(super) async fn of_entry(&self, entry: &Entry) -> Result<String, Error> {
        match self.parts.get(&entry.id) {
            Some(text) => Ok(format!("{}{text}", self.head)),
            None => self.archive.sql(&[entry]).await,
        }
    }
}

/// The head and each entry's own text; none where the output does not tell for certain which is which.
fn divide(sql: &str, entries: &[&Entry]) -> Option<(String, HashMap<String, String>)> {
    let starts: Vec<usize> = sql.match_indices(HEADER).map(|(at, _)| at + 1).collect();
    if starts.len() != entries.len() {
        return None;
    }
    let head = sql.get(..*starts.first()?)?.to_owned();
    let ends = starts.iter().skip(1).copied().chain([sql.len()]);
    let mut parts = HashMap::with_capacity(entries.len());
    for ((start, end), entry) in starts.iter().zip(ends).zip(entries) {
        let text = sql.get(*start..end)?;
        let number = text.get(HEADER.len() - 1..)?.split(' ').next()?;
        if number != entry.id {
            return None;
        }
        parts.insert(entry.id.clone(), text.to_owned());
    }
    Some((head, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        Entry::parse(&format!("{id}; 1259 16385 INDEX public a ann")).unwrap().0
    }

    const TWO: &str = "--\n-- PostgreSQL database dump\n--\n\nSET x = 0;\n\n--\n-- TOC entry 7 (class 1259 OID 1)\n-- Name: a\n--\n\n\
                       CREATE INDEX a;\n\n\n--\n-- TOC entry 9 (class 1259 OID 2)\n-- Name: b\n--\n\nCREATE INDEX b;\n\n";

    #[test]
    fn each_entry_gets_the_head_and_its_own_text() {
        let (head, parts) = divide(TWO, &[&entry("7"), &entry("9")]).unwrap();
        assert!(head.ends_with("SET x = 0;\n\n"));
        assert!(parts["7"].contains("CREATE INDEX a;") && !parts["7"].contains("CREATE INDEX b;"));
        assert!(parts["9"].starts_with("--\n-- TOC entry 9") && parts["9"].ends_with("CREATE INDEX b;\n\n"));
    }

    #[test]
    fn output_that_tells_of_other_entries_is_not_divided() {
        assert!(divide(TWO, &[&entry("7"), &entry("8")]).is_none());
        assert!(divide(TWO, &[&entry("9"), &entry("7")]).is_none());
        assert!(divide(TWO, &[&entry("7")]).is_none());
        let within = TWO.replace("INDEX a;", "INDEX a WHERE t = '\n--\n-- TOC entry 9 (class';");
        assert!(divide(&within, &[&entry("7"), &entry("9")]).is_none());
    }
}
