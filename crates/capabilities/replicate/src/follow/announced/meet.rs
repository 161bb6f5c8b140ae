//! What a statement has made of one table.

use atalaya_data::RelationName;
use atalaya_data::position::is_before;

use crate::Error;
use crate::ddl::{Announcement, DroppedTable, Remedy, Rewrite, Touched, Unfollowed, describe_one};
use crate::follow::Follower;
use crate::follow::state::Arriving;
use crate::report::Event;

/// What a statement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// The target is like the source by now.
    Followed,
    /// There was nothing to follow.
    Nothing,
    /// It is met with what came later.
    Later,
}

impl Follower<'_> {
    /// The table of the move with that OID, where the transaction is not in its copy.
    pub(super) fn moved(&self, oid: u32, arriving: Arriving) -> Option<RelationName> {
        let of = |mapping: &crate::apply::Mapping| mapping.definition.as_ref().is_some_and(|was| was.oid == oid);
        let (name, mapping) = self.tables.mappings().iter().find(|(_, mapping)| of(mapping))?;
        (!is_before(arriving.commit_lsn, mapping.start_lsn)).then(|| name.clone())
    }

    /// Refuses when another table has the name of one of the move's by now.
    pub(super) async fn refuse_taken_name(
        &self,
        name: &RelationName,
        oid: u32,
        statement: &str,
        arriving: Arriving,
    ) -> Result<(), Error> {
        let Some(mapping) = self.tables.mappings().get(name) else { return Ok(()) };
        let Some(was) = mapping.definition.as_ref().map(|was| was.oid).filter(|was| *was != oid) else { return Ok(()) };
        if is_before(arriving.commit_lsn, mapping.start_lsn) {
            return Ok(());
        }
        match self.oid_of(name).await? {
            Some(now) if now != was => {
                let change = Unfollowed::new("another table has taken its name".to_owned(), Remedy::CopyAgain);
                Err(change.refusal(name, Some(statement)))
            }
            _ => Ok(()),
        }
    }

    async fn oid_of(&self, name: &RelationName) -> Result<Option<u32>, Error> {
        let sql = "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1 AND c.relname = $2";
        let row = self.opened.source.query_opt(sql, &[&name.schema, &name.name]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// A table that is gone is told; where another has its name, nothing of that one's would come.
    pub(super) async fn meet_dropped(
        &mut self,
        table: &DroppedTable,
        statement: &str,
        arriving: Arriving,
    ) -> Result<(), Error> {
        let Some(name) = self.moved(table.oid, arriving) else { return Ok(()) };
        // A part of a transaction that was rolled back may be told of, too.
        if describe_one(self.opened.source, table.oid).await?.is_some() {
            return Ok(());
        }
        self.announced.statements.insert(table.oid, statement.to_owned());
        self.refuse_taken_name(&name, 0, statement, arriving).await?;
        self.table_watch.told(&name);
        let text = format!(
            "table {name} was dropped on the source by {statement}; drop it on the target, too, if that was meant, before \
             `finish`"
        );
        self.opened.observer.observe(&Event::Warning { text });
        Ok(())
    }

    /// Stops at a rewrite whose values nothing else tells of.
    pub(super) async fn meet_rewrite(
        &mut self,
        name: &RelationName,
        table: &Touched,
        announcement: &Announcement,
    ) -> Result<Met, Error> {
        let Some(was) = self.tables.mappings().get(name).and_then(|mapping| mapping.definition.as_ref()) else {
            return Ok(Met::Nothing);
        };
        let known = self.announced.attributes.get(&table.oid).copied().unwrap_or_default().max(was.newest());
        if announcement.rewrite(table, known) == Rewrite::Told {
            return Ok(Met::Followed);
        }
        // Of a table that is where it was, the rewrite was rolled back.
        let filenode = was.filenode;
        let now = describe_one(self.opened.source, table.oid).await?;
        match now.is_some_and(|now| now.definition.filenode != filenode) {
            true => {
                let change = "its rows were rewritten with other values".to_owned();
                Err(Unfollowed::new(change, Remedy::CopyAgain).refusal(name, self.announced.statement_of(table.oid)))
            }
            false => Ok(Met::Nothing),
        }
    }

    /// Follows what a statement has made of a table, where the catalog still describes it so; where it has gone on since,
    /// it is met with what came later.
    pub(super) async fn meet_touched(&mut self, name: &RelationName, table: &Touched) -> Result<Met, Error> {
        self.announced.attributes.insert(table.oid, table.attributes);
        if self.announced.shapes.get(&table.oid) == Some(&table.shape) {
            return Ok(Met::Nothing);
        }
        let Some(now) = describe_one(self.opened.source, table.oid).await? else { return Ok(Met::Later) };
        if now.shape != table.shape {
            self.definitions.look_soon();
            return Ok(Met::Later);
        }
        let known = self.tables.mappings().get(name).and_then(|mapping| mapping.definition.as_ref());
        if known == Some(&now.definition) && now.name == *name {
            self.announced.shapes.insert(table.oid, table.shape);
            return Ok(Met::Nothing);
        }
        let met = self.meet_one(name, &now).await;
        met.map_err(|error| self.announced.naming(table.oid, error))?;
        self.announced.shapes.insert(table.oid, table.shape);
        Ok(Met::Followed)
    }
}
