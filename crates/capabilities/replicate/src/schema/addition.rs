//! The schema of tables that come later, each addition with a dump of its own.
//!
//! A partition is attached when its rows and indexes are there: its parent's indexes then take them as they are, where
//! an empty one would get indexes of its own beside them.

use atalaya_postgres::Session;

use super::archive::Archive;
use super::builders::Builders;
use super::entry::{Entry, Stage};
use super::foreign_key::{ForeignKeyRestore, restore_foreign_keys};
use super::scripts::Scripts;
use super::sections::{LOCK_TIMEOUT, run_last, run_once, run_script, step_name};
use crate::progress::Store;
use crate::{Error, Options};

/// What the entry that makes a table a partition begins with.
const ATTACH: &str = "TABLE ATTACH ";

/// An addition's name and its dump.
pub(crate) struct Addition<'a> {
    pub(crate) name: &'a str,
    pub(crate) archive: &'a Archive,
}

impl Addition<'_> {
    /// Steps of another addition, or of the first copy, may be of the same object.
    fn step(&self, step: &str) -> String {
        format!("added {}: {step}", self.name)
    }

    fn entries(&self, stage: Stage) -> impl Iterator<Item = &Entry> {
        self.archive.entries(stage)
    }

    /// Bare tables with what belongs to them, in one transaction.
    pub(crate) async fn restore_tables(&self, store: &Store<'_>) -> Result<(), Error> {
        let entries: Vec<&Entry> =
            self.entries(Stage::BeforeData).filter(|entry| !entry.label.starts_with(ATTACH)).collect();
        run_once(self.archive, store, &self.step("tables"), &entries, LOCK_TIMEOUT).await
    }

    /// Indexes and keys, then the place in a partition tree.
    pub(crate) async fn restore_keys(
        &self,
        store: &Store<'_>,
        options: &Options,
        builder: &Session,
    ) -> Result<(), Error> {
        builder.batch(&format!("SET maintenance_work_mem = '{}'", options.maintenance_work_mem)).await?;
        let own = Store { session: builder, name: store.name };
        let indexes: Vec<&Entry> = self.entries(Stage::Index).collect();
        let scripts = Scripts::of(self.archive, &indexes).await?;
        for entry in indexes {
            run_script(&own, &self.step(&step_name(entry)), &scripts.of_entry(entry).await?, "").await?;
        }
        let attached: Vec<&Entry> =
            self.entries(Stage::BeforeData).filter(|entry| entry.label.starts_with(ATTACH)).collect();
        run_once(self.archive, store, &self.step("partitions"), &attached, LOCK_TIMEOUT).await?;
        let indexes: Vec<&Entry> = self.entries(Stage::Attach).collect();
        run_once(self.archive, store, &self.step("index partitions"), &indexes, LOCK_TIMEOUT).await
    }

    /// What waits for the end of the move: foreign keys, triggers, rules, row security.
    pub(crate) async fn restore_rest(
        &self,
        source: &Session,
        store: &Store<'_>,
        builders: &Builders<'_>,
        options: &Options,
    ) -> Result<(), Error> {
        let keys = ForeignKeyRestore { archive: self.archive, store, builders, options, prefix: &self.step("") };
        restore_foreign_keys(&keys).await?;
        run_last(self.archive, source, store, &self.step("after data")).await
    }
}
