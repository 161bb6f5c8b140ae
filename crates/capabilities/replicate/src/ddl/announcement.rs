//! What the event trigger on the source says of a statement.
//!
//! Anybody may send a message of that name: what cannot be read is nothing, and nothing of it reaches a message to people
//! as it came.

use serde::Deserialize;

use super::statement::{plain, without_values};

/// More than the trigger ever sends.
const BYTES_MAX: usize = 2 << 20;
const TABLES_MAX: usize = super::trigger::TABLES + 1;

/// `AT_REWRITE_COLUMN_REWRITE`: values of a column were computed anew.
const VALUES_REWRITTEN: u32 = 4;
/// `AT_REWRITE_DEFAULT_VAL`: a column came whose default is no constant, or a generated one's expression was changed.
const DEFAULT_COMPUTED: u32 = 2;

/// When the trigger fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Moment {
    /// At the statement's end.
    #[serde(rename = "ddl_command_end")]
    Ended,
    /// After objects were dropped.
    #[serde(rename = "sql_drop")]
    Dropped,
    /// Before rows are rewritten.
    #[serde(rename = "table_rewrite")]
    Rewriting,
}

/// A statement that touched tables of the source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Announcement {
    #[serde(rename = "event")]
    pub(crate) moment: Moment,
    tag: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    at: String,
    text: Option<String>,
    reason: Option<u32>,
    /// Whether there are more tables than it names.
    #[serde(default)]
    pub(crate) more: bool,
    /// Why the trigger could say no more: an SQLSTATE.
    failed: Option<String>,
    #[serde(default)]
    pub(crate) tables: Vec<Touched>,
    #[serde(default)]
    pub(crate) dropped: Vec<DroppedTable>,
}

/// A table as it was when the trigger fired.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Touched {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `pg_class.relnatts`.
    pub(crate) attributes: i16,
    /// Differs whenever name, columns or file do.
    pub(crate) shape: i64,
}

/// A table that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct DroppedTable {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
}

/// What a rewrite makes of rows that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rewrite {
    /// The same values elsewhere, or what the table's new columns tell.
    Told,
    /// Values that nothing else tells of.
    Untold,
}

impl Announcement {
    /// Reads a message's content; none where the trigger has not written it.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        if content.len() > BYTES_MAX {
            return None;
        }
        let read: Self = serde_json::from_slice(content).ok()?;
        (read.tables.len().max(read.dropped.len()) <= TABLES_MAX).then_some(read)
    }

    /// Which statement, for people: by its tag, its text without values, who ran it and when.
    pub(crate) fn statement(&self) -> String {
        let text = self.text.as_deref().map(without_values).unwrap_or_default();
        let text = Some(text.trim_end_matches([';', ' '])).filter(|text| *text != "...").unwrap_or_default();
        // A statement within a DO block, a function or several sent at once is not what the client's text begins with.
        let first = |text: &str| text.split_whitespace().next().map(str::to_lowercase);
        let names_itself = first(text) == first(&self.tag);
        let mut said = match (text.is_empty(), names_itself) {
            (true, _) => plain(&self.tag),
            (false, true) => format!("`{text}`"),
            (false, false) => format!("{} within `{text}`", plain(&self.tag)),
        };
        if !self.by.is_empty() {
            said.push_str(&format!(" of session user `{}`", plain(&self.by)));
        }
        if !self.at.is_empty() {
            said.push_str(&format!(" at {}", plain(&self.at)));
        }
        said
    }

    /// Why the trigger could not say what the statement did, where it could not.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failed.as_deref().map(plain)
    }

    /// What a rewrite means for rows that were copied before; `known` is how many columns the table has ever had before
    /// the statement.
    pub(crate) fn rewrite(&self, table: &Touched, known: i16) -> Rewrite {
        let reason = self.reason.unwrap_or_default();
        let came = table.attributes > known;
        match reason & VALUES_REWRITTEN != 0 || (reason & DEFAULT_COMPUTED != 0 && !came) {
            true => Rewrite::Untold,
            false => Rewrite::Told,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENT: &str = r#"{"event": "table_rewrite", "tag": "ALTER TABLE", "by": "ann", "text": "ALTER TABLE a ALTER b TYPE int USING 7",
         "reason": 4, "more": false, "at": "2026-01-02T03:04:05Z",
        "tables": [{"oid": 4294967295, "schema": "public", "name": "a", "attributes": 2, "shape": -9}], "dropped": []}"#;

    #[test]
    fn the_statement_is_told_without_its_values() {
        let read = Announcement::parse(SENT.as_bytes()).unwrap();
        let said = "`ALTER TABLE a ALTER b TYPE int USING ?` of session user `ann` at 2026-01-02T03:04:05Z";
        assert_eq!(read.statement(), said);
        let within = SENT.replace("ALTER TABLE a ALTER b TYPE int USING 7", "DO ...").replace("ann", "a\\nb");
        let within = Announcement::parse(within.as_bytes()).unwrap().statement();
        assert_eq!(within, "ALTER TABLE within `DO ...` of session user `ab` at 2026-01-02T03:04:05Z");
    }

    #[test]
    fn a_rewrite_is_untold_unless_a_column_came_or_the_values_stay() {
        let judged = |reason: u32, known: i16| {
            let read = Announcement::parse(SENT.replace("\"reason\": 4", &format!("\"reason\": {reason}")).as_bytes());
            let read = read.unwrap();
            read.rewrite(&read.tables[0], known)
        };
        assert_eq!(judged(4, 1), Rewrite::Untold);
        assert_eq!((judged(2, 2), judged(2, 1)), (Rewrite::Untold, Rewrite::Told));
        assert_eq!((judged(1, 2), judged(8, 2)), (Rewrite::Told, Rewrite::Told));
    }

    #[test]
    fn what_the_trigger_has_not_written_is_nothing() {
        for content in ["", "{}", "[1]", r#"{"event": "x", "tag": "y"}"#, r#"{"event": "sql_drop", "tag": 7}"#] {
            assert_eq!(Announcement::parse(content.as_bytes()), None, "{content}");
        }
        assert_eq!(Announcement::parse(&vec![b' '; BYTES_MAX + 1]), None);
        let failed = Announcement::parse(br#"{"event": "sql_drop", "tag": "DROP TABLE", "failed": "22021"}"#).unwrap();
        assert_eq!((failed.failure().as_deref(), failed.statement().as_str()), (Some("22021"), "DROP TABLE"));
    }

    proptest! {
        #[test]
        fn any_content_is_read_or_left(content in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
            prop_assert!(Announcement::parse(&content).is_none());
            let sent = serde_json::json!({"event": "sql_drop", "tag": text, "by": text, "at": text, "text": text});
            let said = Announcement::parse(sent.to_string().as_bytes()).unwrap().statement();
            prop_assert!(!said.contains(char::is_control) && said.len() < 1500);
        }
    }
}
