//! From what the stream says of a table to where its changes go; a table that has gained columns gets them here.

use std::sync::Arc;

use atalaya_data::RelationName;
use atalaya_data::position::is_before;
use atalaya_postgres::catalog::read_relations;

use super::state::{Arriving, Follower};
use crate::apply::TargetTable;
use crate::ddl::{
    Remedy, SourceColumn, SourceTable, Unfollowed, Which, add_columns, describe, describe_one, gained, is_described_by,
};
use crate::progress::Store;
use crate::report::Event;
use crate::{Error, ddl};

impl Follower<'_> {
    /// The table that a change is bound for; none when the target has the change already.
    pub(super) async fn table_at(
        &mut self,
        relation_id: u32,
        arriving: Arriving,
    ) -> Result<Option<Arc<TargetTable>>, Error> {
        let before = |start| is_before(arriving.commit_lsn, start);
        if arriving.skipped || self.tables.start_lsn(relation_id).is_some_and(before) {
            return Ok(None);
        }
        if let Some(message) = self.tables.unbound(relation_id).cloned() {
            // Changes before the message belong to the former definition.
            self.applier.flush().await?;
            let mut now = describe_one(self.opened.source, relation_id).await?;
            if now.as_ref().is_none_or(|now| !is_described_by(now, &message)) {
                // What the catalog does not show yet must not be taken for a change that came later.
                self.wait_until_seen(arriving.xid).await?;
                now = describe_one(self.opened.source, relation_id).await?;
            }
            let name = RelationName::new(message.schema.clone(), message.name.clone());
            // One that the move has given up since it is gone from the source: no row of it is anywhere any more.
            if now.is_none() && !self.tables.mappings().contains_key(&name) {
                return Ok(None);
            }
            if let Some(now) = &now {
                let taken = self.take_gained(&message, now).await;
                taken.map_err(|error| self.announced.naming(relation_id, error))?;
            }
            let bound = self.tables.bind(&message, now.as_ref());
            bound.map_err(|error| self.announced.naming(relation_id, error))?;
        }
        self.tables.get(relation_id).map(|table| Some(Arc::clone(table)))
    }

    /// Gives the target the columns that the stream brings and it has not, where the catalog proves what rows from
    /// before have in them.
    async fn take_gained(
        &mut self,
        message: &atalaya_pgwire::pgoutput::Relation,
        now: &SourceTable,
    ) -> Result<(), Error> {
        let source = RelationName::new(message.schema.clone(), message.name.clone());
        if self.lacks_columns(&source, message) {
            self.look_at_paired_target().await?;
        }
        let Some(mapping) = self.tables.mappings().get(&source) else { return Ok(()) };
        let (Some(definition), Some(target)) = (&mapping.definition, self.tables.target(&mapping.target)) else {
            return Ok(());
        };
        let on_target = |name: &str| target.columns.iter().any(|column| column.name == name);
        if message.columns.iter().all(|column| on_target(&column.name)) {
            return Ok(());
        }
        definition.check_message(&source, message, Some(&now.definition))?;
        let came = gained(definition, now, target).map_err(|change| change.refusal(&source, None))?;
        if !is_described_by(now, message) {
            let change = "it was changed again since, so that its catalog does not tell what the first change made of \
                          its rows";
            return Err(Unfollowed::new(change.to_owned(), Remedy::ByHand).refusal(&source, None));
        }
        let missing: Vec<SourceColumn> = came.into_iter().filter(|column| !on_target(column.name())).cloned().collect();
        self.add_columns(&source, now, &missing).await?;
        self.write_definition(&source, now).await
    }

    /// Whether the target, as it was seen last, lacks columns that the stream brings.
    fn lacks_columns(&self, source: &RelationName, message: &atalaya_pgwire::pgoutput::Relation) -> bool {
        let mapping = self.tables.mappings().get(source);
        let target = mapping.and_then(|mapping| self.tables.target(&mapping.target));
        let there = |name: &str| target.is_some_and(|target| target.columns.iter().any(|column| column.name == name));
        message.columns.iter().any(|column| !there(&column.name))
    }

    /// Looks at the target's tables anew, where the opposite direction stands: then the target has changes of its own.
    pub(super) async fn look_at_paired_target(&mut self) -> Result<(), Error> {
        if self.pair.is_some() {
            // In the session that may have added columns within its open transaction.
            self.tables.renew_target(read_relations(self.applier.session()).await?);
        }
        Ok(())
    }

    /// Makes columns on the target, within the open transaction.
    pub(super) async fn add_columns(
        &mut self,
        source: &RelationName,
        now: &SourceTable,
        columns: &[SourceColumn],
    ) -> Result<(), Error> {
        if columns.is_empty() {
            return Ok(());
        }
        self.prove_of_relatives(source, now, columns).await?;
        let Some(target) = self.tables.mappings().get(source).and_then(|mapping| self.tables.target(&mapping.target))
        else {
            return Err(Error::Broken("a table that gains a column is gone"));
        };
        let table = target.partition_root.as_ref().unwrap_or(&target.name).clone();
        let made = self.applier.run(&add_columns(&table, columns)).await;
        made.map_err(|error| match &error {
            // What it needs is not there, as a type or a function: nothing that another try would mend.
            Error::Postgres(refused) if refused.sqlstate().is_some_and(|state| state.starts_with("42")) => {
                let change = format!("its new columns cannot be made on the target: {}", atalaya_data::chain(&error));
                Unfollowed::new(change, Remedy::ByHand).refusal(source, None)
            }
            _ => error,
        })?;
        let relations = read_relations(self.applier.session()).await?;
        self.tables.renew_target(relations);
        for column in columns {
            let change = format!("column `{}` of table {table} was added, as on the source", column.name());
            self.opened.observer.observe(&Event::Followed { change });
        }
        Ok(())
    }

    /// Writes down what a table of the source is by now, within the open transaction.
    pub(super) async fn write_definition(&mut self, source: &RelationName, now: &SourceTable) -> Result<(), Error> {
        let store = Store { session: self.opened.target, name: &self.opened.plan.name };
        let sql = store.definition_sql(source, &now.definition);
        self.applier.run(&[sql]).await?;
        self.tables.redefine(source, now.definition.clone());
        Ok(())
    }

    /// The same must hold of every table that shares what is altered: partitions of one tree, and what makes up one
    /// table of the target.
    async fn prove_of_relatives(
        &self,
        source: &RelationName,
        now: &SourceTable,
        columns: &[SourceColumn],
    ) -> Result<(), Error> {
        let mappings = self.tables.mappings();
        let target = mappings.get(source).map(|mapping| &mapping.target);
        let oids: Vec<u32> = mappings
            .values()
            .filter(|other| Some(&other.target) == target)
            .filter_map(|other| other.definition.as_ref().map(|definition| definition.oid))
            .collect();
        let which = now.root.as_ref().map_or(Which::Of(&oids), Which::Under);
        for relative in describe(self.opened.source, which).await? {
            let Some(mapping) = mappings.get(&relative.name) else { continue };
            let (Some(definition), Some(target)) = (&mapping.definition, self.tables.target(&mapping.target)) else {
                continue;
            };
            let came = gained(definition, &relative, target).map_err(|change| change.refusal(&relative.name, None))?;
            let alike = |column: &SourceColumn| {
                definition.had(column.name()) || came.iter().any(|other| column.is_made_like(other))
            };
            if !columns.iter().all(alike) {
                let change =
                    format!("rows of {} have other values in a new column than those of {source}", relative.name);
                return Err(Unfollowed::new(change, Remedy::ByHand).refusal(source, None));
            }
        }
        Ok(())
    }

    /// Refuses a column that was made by hand, and otherwise than on the source.
    pub(super) fn check_made(&self, source: &RelationName, now: &SourceTable) -> Result<(), Error> {
        let Some(mapping) = self.tables.mappings().get(source) else { return Ok(()) };
        let Some(target) = self.tables.target(&mapping.target) else {
            return Err(ddl::missing_on_target(source.clone(), &mapping.target));
        };
        let other = target
            .data_columns()
            .find(|column| now.declared(&column.name).is_some_and(|declared| declared != column.declared_type));
        match other {
            Some(column) if mapping.definition.as_ref().is_some_and(|was| !was.had(&column.name)) => {
                Err(Error::SchemaChange {
                    relation: source.clone(),
                    change: format!("column `{}` is declared otherwise than on the target", column.name),
                })
            }
            _ => Ok(()),
        }
    }
}
