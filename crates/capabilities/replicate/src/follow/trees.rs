//! Partitions that were attached or detached on the source: nothing of it is in the stream, so that the catalog is read.
//!
//! Rows go to leaves by their own names, whatever tree these are in. Thus a partition can be taken off at any time. It can be
//! put in once everything is applied that was written before it was seen in its place: every row of it fits by then, and
//! every one that comes. The target looks at every row itself when it attaches.

use std::collections::BTreeSet;

use atalaya_data::{Lsn, RelationName};
use atalaya_postgres::catalog::read_relations;
use tokio::time::Instant;

use super::seen::position_after_seen;
use super::state::Follower;
use crate::Error;
use crate::apply::Mapping;
use crate::ddl::{Misplaced, Places, misplaced, unseen};
use crate::pace::Pace;
use crate::progress::Store;
use crate::report::Event;

/// How long a statement may wait for somebody who uses a table of the target; what it looks at takes as long as it takes.
const LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s';";

/// What a run has seen of the source's trees.
#[derive(Default)]
pub(crate) struct TreeWatch {
    /// What the source's trees were at the last look.
    signature: Option<String>,
    /// What waits for everything before it to be applied.
    seen: Option<(Vec<Misplaced>, Lsn)>,
    /// Partitions of the target that the source has elsewhere, by the last look.
    target: Places,
    /// What was told to be done by hand.
    told: BTreeSet<RelationName>,
    pace: Pace,
}

impl TreeWatch {
    /// Whether nothing waits to be followed.
    pub(super) fn is_settled(&self) -> bool {
        self.seen.is_none()
    }
}

impl Follower<'_> {
    /// Looks at both sides' trees, where the source's have changed. What is detached on the source is so here at once.
    pub(super) async fn look_at_trees(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        // Bounds are read with a lock on the table, which an open group may have: we would wait for ourselves.
        if self.applier.is_open() || !self.trees.pace.is_due() {
            return Ok(());
        }
        let signature = signature(self.opened.source).await?;
        if self.trees.signature.as_ref() != Some(&signature) {
            match self.opened.migration.schema.existing {
                true => self.tell_unseen().await?,
                false => self.look_closely().await?,
            }
            self.trees.signature = Some(signature);
        }
        self.trees.pace.looked(begun);
        Ok(())
    }

    /// Trees that somebody else has made: whether they still fit is told, and `finish` refuses where they do not.
    async fn tell_unseen(&mut self) -> Result<(), Error> {
        let (source, target) = (Places::read(self.opened.source).await?, Places::read(self.opened.target).await?);
        let tables = self.store().read_tables().await?;
        for found in unseen(&source, &target, tables.iter().map(|table| (&table.source, &table.target))) {
            if self.trees.told.insert(found.table.clone()) {
                let text = format!("{}: {}; `finish` refuses before", found.difference(), found.remedy());
                self.opened.observer.observe(&Event::Warning { text });
            }
        }
        Ok(())
    }

    async fn look_closely(&mut self) -> Result<(), Error> {
        let mut differing = self.differing().await?;
        let detached: Vec<String> = differing.iter().filter_map(Misplaced::detach_sql).collect();
        if !detached.is_empty() && differing.iter().all(Misplaced::is_partition) {
            // Where it cannot be done yet, as for rows that refer to it, it is tried again in its turn.
            let taken_off =
                differing.iter().filter(|table| table.detach_sql().is_some() && table.attach_sql().is_none());
            let followed: Vec<String> = taken_off.map(Misplaced::change).collect();
            if self.alter_trees(&detached).await.is_ok() {
                self.tell_followed(&followed);
                differing = self.differing().await?;
            }
        }
        self.trees.seen = match differing.is_empty() {
            true => None,
            false => Some((differing, position_after_seen(self.opened.source).await?)),
        };
        Ok(())
    }

    async fn differing(&mut self) -> Result<Vec<Misplaced>, Error> {
        let (source, target) = (Places::read(self.opened.source).await?, Places::read(self.opened.target).await?);
        let differing = misplaced(&source, &target, self.moved_tables());
        self.trees.target = target;
        Ok(differing)
    }

    /// Follows what was seen, between two transactions, once everything before it is applied.
    pub(super) async fn meet_trees(&mut self) -> Result<(), Error> {
        let due = self.trees.seen.as_ref().is_some_and(|(_, until)| self.reached() >= *until);
        if !due || self.arriving.is_some() || self.applier.is_open() {
            return Ok(());
        }
        let now = self.differing().await?;
        let Some((seen, _)) = self.trees.seen.take() else { return Ok(()) };
        if now != seen {
            // It has gone on changing: what is seen from now on counts.
            self.trees.signature = None;
            self.trees.pace.look_soon();
            return self.look_at_trees().await;
        }
        let (partitions, others): (Vec<Misplaced>, Vec<Misplaced>) = now.into_iter().partition(Misplaced::is_partition);
        let statements: Vec<String> = partitions
            .iter()
            .filter_map(Misplaced::detach_sql)
            .chain(partitions.iter().filter_map(Misplaced::attach_sql))
            .collect();
        match self.alter_trees(&statements).await {
            Ok(()) => self.tell_followed(&partitions.iter().map(Misplaced::change).collect::<Vec<_>>()),
            Err(error) if error.is_transient() && self.opened.target.is_closed() => return Err(error),
            Err(error) => self.tell_by_hand(&partitions, &atalaya_data::chain(&error)),
        }
        self.tell_by_hand(&others, "inheritance is not followed");
        Ok(())
    }

    /// All or nothing.
    async fn alter_trees(&mut self, statements: &[String]) -> Result<(), Error> {
        if statements.is_empty() {
            return Ok(());
        }
        let marker = self.store().marker_sql();
        let sql = format!("BEGIN; {LIMITS} {marker}; {}; COMMIT", statements.join("; "));
        if let Err(error) = self.opened.target.batch(&sql).await {
            // The error is what counts; a session that is lost has rolled back already.
            let _rolled_back = self.opened.target.batch("ROLLBACK").await;
            return Err(error.into());
        }
        self.opened.plan.options.failpoints.reach("trees-followed");
        self.tables.renew_target(read_relations(self.opened.target).await?);
        Ok(())
    }

    fn tell_followed(&self, changes: &[String]) {
        for change in changes {
            self.opened.observer.observe(&Event::Followed { change: format!("{change}, as on the source") });
        }
    }

    fn tell_by_hand(&mut self, tables: &[Misplaced], reason: &str) {
        for table in tables {
            if self.trees.told.insert(table.table.clone()) {
                let text = format!(
                    "{} on the source, which is not followed ({reason}): do the same on the target before `finish`; a row that \
                     its place there does not allow would stop the run",
                    table.change()
                );
                self.opened.observer.observe(&Event::Warning { text });
            }
        }
    }

    /// What to make of a row that its place on the target does not allow: it may have been detached on the source just now.
    pub(super) async fn judge_outside(&mut self, error: Error) -> Result<Error, Error> {
        if self.opened.migration.schema.existing {
            return Ok(error);
        }
        let source = Places::read(self.opened.source).await?;
        let differing = misplaced(&source, &self.trees.target, self.moved_tables());
        Ok(match differing.iter().any(|table| table.detach_sql().is_some()) {
            true => Error::Interrupted("a row is outside of a partition that the source has detached"),
            false => error,
        })
    }

    fn moved_tables(&self) -> impl Iterator<Item = (RelationName, Option<u32>)> {
        let oid = |mapping: &Mapping| mapping.definition.as_ref().map(|definition| definition.oid);
        self.tables.mappings().iter().map(move |(name, mapping)| (name.clone(), oid(mapping)))
    }

    fn store(&self) -> Store<'_> {
        Store { session: self.opened.target, name: &self.opened.plan.name }
    }
}

/// Differs whenever a table was attached, detached, or attached elsewhere.
async fn signature(source: &atalaya_postgres::Session) -> Result<String, Error> {
    let row = source
        .query_one(
            "SELECT pg_catalog.concat(count(*), ' ', sum(pg_catalog.hashtextextended(
                        pg_catalog.concat(i.inhrelid, ' ', i.inhparent, ' ', i.xmin, ' ', i.cmin), 0)))
               FROM pg_catalog.pg_inherits i",
            &[],
        )
        .await?;
    Ok(row.get(0))
}
