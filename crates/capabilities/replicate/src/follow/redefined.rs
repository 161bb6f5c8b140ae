//! Changes of definitions that no row brings along: read from the source's catalog, met once everything is applied
//! that was written before they were seen.

use std::collections::{BTreeMap, BTreeSet};

use atalaya_data::{Lsn, RelationName};
use tokio::time::Instant;

use super::seen::position_after_seen;
use super::state::Follower;
use crate::Error;
use crate::apply::GroupPosition;
use crate::ddl::{
    Remedy, SourceColumn, SourceTable, Unfollowed, Which, describe, enum_signature, follow_enums, gained,
};
use crate::pace::Pace;
use crate::progress::Store;
use crate::report::Event;

/// What a run has seen of the source's definitions.
#[derive(Default)]
pub(crate) struct DefinitionWatch {
    seen: Option<Seen>,
    enums: Option<String>,
    differing_enums: Vec<RelationName>,
    unidentified: BTreeSet<RelationName>,
    pace: Pace,
}

/// Tables that are others than they were known to be.
struct Seen {
    tables: BTreeMap<RelationName, SourceTable>,
    /// Everything before they were seen is applied once this is reached.
    until: Lsn,
}

impl DefinitionWatch {
    /// Has the next look come at once.
    pub(super) fn look_soon(&mut self) {
        self.pace.look_soon();
    }

    /// Whether nothing waits to be met.
    pub(super) fn is_settled(&self) -> bool {
        self.seen.is_none()
    }
}

impl Follower<'_> {
    /// Looks for changes; labels of enums are made at once.
    pub(super) async fn look_at_definitions(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        if !self.definitions.pace.is_due() {
            return Ok(());
        }
        self.look_at_enums().await?;
        let changed = self.changed().await?;
        let known = self.definitions.seen.as_ref().map(|seen| &seen.tables);
        if changed.is_empty() && self.definitions.differing_enums.is_empty() {
            self.definitions.seen = None;
        } else if known != Some(&changed) {
            let until = position_after_seen(self.opened.source).await?;
            self.definitions.seen = Some(Seen { tables: changed, until });
        }
        self.definitions.pace.looked(begun);
        Ok(())
    }

    /// What to make of a value that the target cannot read: its label may have come only now.
    pub(super) async fn judge_unknown_label(&mut self, error: Error) -> Result<Error, Error> {
        if self.look_at_enums().await? {
            return Ok(Error::Interrupted("a row has an enum label that the target got only now"));
        }
        Ok(self.definitions.differing_enums.first().map_or(error, enum_redefined))
    }

    /// Makes labels that the target's enums lack. True when there were any.
    async fn look_at_enums(&mut self) -> Result<bool, Error> {
        let signature = enum_signature(self.opened.source).await?;
        if self.definitions.enums.as_ref() == Some(&signature) {
            return Ok(false);
        }
        let names: Vec<RelationName> = self.tables.mappings().keys().cloned().collect();
        let followed = follow_enums(self.opened.source, self.opened.target, &names).await?;
        self.definitions.enums = Some(signature);
        self.definitions.differing_enums = followed.differing;
        for label in &followed.made {
            let change = format!("an enum label was added, as on the source: {label}");
            self.opened.observer.observe(&Event::Followed { change });
        }
        Ok(!followed.made.is_empty())
    }

    /// Tables that the source describes otherwise than they are known; tells of those whose rows cannot be known.
    async fn changed(&mut self) -> Result<BTreeMap<RelationName, SourceTable>, Error> {
        let known: BTreeMap<u32, (&RelationName, bool)> = self
            .tables
            .mappings()
            .iter()
            .filter_map(|(name, mapping)| Some((mapping.definition.as_ref()?.oid, (name, mapping.append_only))))
            .collect();
        let oids: Vec<u32> = known.keys().copied().collect();
        let mut changed = BTreeMap::new();
        let mut unidentified = Vec::new();
        for table in describe(self.opened.source, Which::Of(&oids)).await? {
            let Some((name, append_only)) = known.get(&table.definition.oid) else { continue };
            if !table.identified && !append_only {
                unidentified.push((*name).clone());
            }
            let stored = self.tables.mappings().get(*name).and_then(|mapping| mapping.definition.as_ref());
            if stored != Some(&table.definition) || table.name != **name {
                changed.insert((*name).clone(), table);
            }
        }
        for name in unidentified {
            if self.definitions.unidentified.insert(name.clone()) {
                let text = format!(
                    "table {name} has lost its replica identity: UPDATE and DELETE of it fail on the source while it is \
                     published; give it a primary key or `ALTER TABLE {name} REPLICA IDENTITY FULL`"
                );
                self.opened.observer.observe(&Event::Warning { text });
            }
        }
        Ok(changed)
    }

    /// Follows what was seen, or stops at it, between two transactions.
    pub(super) async fn meet_definitions(&mut self) -> Result<(), Error> {
        let due = self.definitions.seen.as_ref().is_some_and(|seen| self.reached() >= seen.until);
        if !due || self.arriving.is_some() || self.applier.is_open() {
            return Ok(());
        }
        let now = self.changed().await?;
        let Some(seen) = self.definitions.seen.take() else { return Ok(()) };
        if now != seen.tables {
            // It has gone on changing: what is seen from now on counts.
            self.definitions.look_soon();
            return self.look_at_definitions().await;
        }
        if let Some(name) = self.definitions.differing_enums.first() {
            return Err(enum_redefined(name));
        }
        for (name, table) in &seen.tables {
            let met = self.meet_one(name, table).await;
            met.map_err(|error| self.announced.naming(table.definition.oid, error))?;
            self.announced.forget(table.definition.oid);
        }
        let applied = self.reached();
        self.applier.commit(GroupPosition { applied, committed_at_micros: None, transactions: 0 }).await?;
        self.applied = applied;
        self.idle = None;
        self.group.applied = applied;
        Ok(())
    }

    pub(super) async fn meet_one(&mut self, name: &RelationName, now: &SourceTable) -> Result<(), Error> {
        self.look_at_paired_target().await?;
        let Some(mapping) = self.tables.mappings().get(name) else { return Ok(()) };
        let (Some(was), Some(target)) = (&mapping.definition, self.tables.target(&mapping.target)) else {
            return Ok(());
        };
        if now.name != *name {
            let change = format!("it is called {} now", now.name);
            return Err(Unfollowed::new(change, Remedy::FormerName).refusal(name, None));
        }
        let on_target = |column: &SourceColumn| target.columns.iter().any(|other| other.name == column.name());
        let came = gained(was, now, target).map_err(|change| change.refusal(name, None))?;
        let missing: Vec<SourceColumn> = came.into_iter().filter(|column| !on_target(column)).cloned().collect();
        let rewritten = was.filenode != now.definition.filenode;
        self.add_columns(name, now, &missing).await?;
        self.check_made(name, now)?;
        if rewritten {
            self.forget_proof(name).await?;
        }
        self.write_definition(name, now).await
    }

    /// A statement that rewrote the table may have changed its rows: only a comparison of every one can tell.
    async fn forget_proof(&mut self, name: &RelationName) -> Result<(), Error> {
        let Some(mapping) = self.tables.mappings().get(name) else { return Ok(()) };
        let store = Store { session: self.opened.target, name: &self.opened.plan.name };
        let sql = store.forget_proof_sql(&mapping.target);
        self.applier.run(&sql).await
    }
}

fn enum_redefined(name: &RelationName) -> Error {
    Error::refused(
        "enum-redefined",
        format!("enum {name} has lost or renamed a label on the source"),
        format!(
            "give the target's enum the same labels (`ALTER TYPE {} RENAME VALUE ...`), then start again",
            name.to_sql()
        ),
    )
}
