//! What a spool holds, as the target knows it: `received` stands in a row of its own, so that the receiver never waits
//! for a group's transaction, nor a group for the receiver.

use atalaya_data::{Lsn, quote_literal};

use super::store::Store;
use crate::Error;

/// The writer that the spool's row of `atalaya.progress` belongs to.
const SPOOL_WRITER: i32 = -1;

/// What the source may have been told that we have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// Everything before is on the spool's disk.
    pub(crate) position: Lsn,
    /// The spool's name.
    pub(crate) spool: String,
}

/// What the receiver says of its spool, for `status`; never a position to resume from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct SpoolFigures {
    pub(crate) written_lsn: Lsn,
    pub(crate) bytes: u64,
    pub(crate) limit_bytes: u64,
    pub(crate) is_full: bool,
    pub(crate) frees_source: bool,
}

impl Store<'_> {
    /// What is stored of a spool; none where nothing depends on one.
    pub(crate) async fn received(&self) -> Result<Option<Received>, Error> {
        let row = self
            .session
            .query_opt(
                "SELECT received::text, spool FROM atalaya.progress
                  WHERE migration = $1 AND writer = $2 AND received IS NOT NULL",
                &[&self.name, &SPOOL_WRITER],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let position = row.get::<_, String>(0).parse();
        let (Ok(position), Some(spool)) = (position, row.get::<_, Option<String>>(1)) else {
            return Err(Error::refused(
                "unreadable-state",
                "atalaya.progress holds a received position that this version cannot read",
                "use the version of atalaya that began this migration",
            ));
        };
        Ok(Some(Received { position, spool }))
    }

    /// Stores what is on the spool's disk; the session's commits wait for the target's.
    pub(crate) async fn store_received(&self, position: Lsn, spool: &str) -> Result<(), Error> {
        self.session
            .execute(
                "INSERT INTO atalaya.progress AS p (migration, writer, received, spool)
                 VALUES ($1, $2, ($3::text)::pg_lsn, $4)
                 ON CONFLICT (migration, writer) DO UPDATE SET received = excluded.received, spool = excluded.spool",
                &[&self.name, &SPOOL_WRITER, &position.to_string(), &spool],
            )
            .await?;
        Ok(())
    }

    /// Says that nothing depends on a spool any more. With this commit the position that replaces it is on the target's
    /// disk, too, before a file is removed.
    pub(crate) async fn forget_received(&self) -> Result<(), Error> {
        let name = quote_literal(self.name);
        self.session
            .batch(&format!(
                "BEGIN; SET LOCAL synchronous_commit = on;
                 DELETE FROM atalaya.progress WHERE migration = {name} AND writer = {SPOOL_WRITER};
                 UPDATE atalaya.activity SET report = report - 'spool' WHERE migration = {name}; COMMIT"
            ))
            .await
            .map_err(Error::from)
    }

    /// Says what the spool holds, beside what else the run says of itself; or takes back what an earlier run said.
    pub(crate) async fn write_spool_figures(&self, figures: Option<&SpoolFigures>) -> Result<(), Error> {
        let name = quote_literal(self.name);
        let sql = match figures {
            Some(figures) => format!(
                "INSERT INTO atalaya.activity AS a (migration, report) VALUES ({name}, {})
                 ON CONFLICT (migration) DO UPDATE SET report = a.report || excluded.report",
                quote_literal(&serde_json::json!({ "spool": figures }).to_string())
            ),
            None => format!("UPDATE atalaya.activity SET report = report - 'spool' WHERE migration = {name}"),
        };
        self.session.batch(&sql).await.map_err(Error::from)
    }
}
