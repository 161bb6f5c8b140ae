//! Rows as hashes and places, read page by page through a cursor so that no result is held whole.

use std::collections::VecDeque;

use atalaya_postgres::{Session, ToSql};

use crate::Error;

/// Entries fetched at once; about half a megabyte.
const PAGE_ROWS: usize = 5000;

/// Where a row lies, as of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    /// `tableoid`.
    pub(crate) relation: u32,
    /// `ctid` as text.
    pub(crate) place: String,
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Hash of the key's text; of the whole row's without a key.
    pub(crate) key: i64,
    /// Hash of the whole row's text.
    pub(crate) row: i64,
    /// Where it lies.
    pub(crate) location: Location,
}

/// Entries in the order of their hashes; within the session's open transaction.
pub(crate) struct EntryStream<'session> {
    session: &'session Session,
    page: VecDeque<Entry>,
    ended: bool,
}

impl<'session> EntryStream<'session> {
    /// Starts reading what `sql` selects (key hash, row hash, relation, place). One stream a session.
    pub(crate) async fn open(
        session: &'session Session,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Self, Error> {
        session.execute(&format!("DECLARE atalaya_entries NO SCROLL CURSOR FOR {sql}"), parameters).await?;
        let mut stream = Self { session, page: VecDeque::new(), ended: false };
        stream.fill().await?;
        Ok(stream)
    }

    /// The next entry's key hash; `None` at the end.
    pub(crate) fn next_key(&self) -> Option<i64> {
        self.page.front().map(|entry| entry.key)
    }

    /// Takes the next entry if it has this key hash.
    pub(crate) async fn take(&mut self, key: i64) -> Result<Option<Entry>, Error> {
        if self.next_key() != Some(key) {
            return Ok(None);
        }
        let entry = self.page.pop_front();
        if self.page.is_empty() {
            self.fill().await?;
        }
        Ok(entry)
    }

    /// Ends reading, so that the session can open another stream.
    pub(crate) async fn close(self) -> Result<(), Error> {
        Ok(self.session.batch("CLOSE atalaya_entries").await?)
    }

    async fn fill(&mut self) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        let rows = self.session.query(&format!("FETCH FORWARD {PAGE_ROWS} FROM atalaya_entries"), &[]).await?;
        self.ended = rows.len() < PAGE_ROWS;
        self.page.extend(rows.iter().map(|row| Entry {
            key: row.get(0),
            row: row.get(1),
            location: Location { relation: row.get(2), place: row.get(3) },
        }));
        Ok(())
    }
}
