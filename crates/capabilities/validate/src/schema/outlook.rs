//! What a migration that the target still knows has yet to restore.

use std::collections::HashSet;

use atalaya_catalog::ObjectStage;
use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;

/// Where a migration is, as far as its schema goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlook {
    /// The phase, while the target knows the migration.
    pub(crate) phase: Option<String>,
    /// What is restored from this stage on is pending.
    pending_from: Option<ObjectStage>,
    /// Whether owners and privileges were left behind.
    pub(crate) no_owner: bool,
    /// Source tables that go into a target table of another name.
    pub(crate) elsewhere: HashSet<RelationName>,
}

impl Outlook {
    /// Reads it from the target.
    pub(crate) async fn read(target: &Session, migration: Option<&str>) -> Result<Self, Error> {
        let Some(name) = migration else { return Ok(Self::default()) };
        if !atalaya_postgres::control::is_installed(target).await? {
            return Ok(Self::default());
        }
        let row = target
            .query_opt(
                "SELECT phase, coalesce((options -> 'schema' ->> 'existing')::bool, false),
                        coalesce((options -> 'schema' ->> 'no_owner')::bool, false),
                        EXISTS (SELECT FROM atalaya.steps s WHERE s.migration = m.name AND s.step = 'schema before data'),
                        EXISTS (SELECT FROM atalaya.steps s WHERE s.migration = m.name AND s.step = 'index partitions'),
                        EXISTS (SELECT FROM atalaya.steps s WHERE s.migration = m.name AND s.step = 'schema after data'),
                        EXISTS (SELECT FROM atalaya.steps s WHERE s.migration = m.name AND s.step LIKE 'FK CONSTRAINT %'),
                        options ->> 'serving' IS NOT DISTINCT FROM 'target'
                   FROM atalaya.migration m WHERE name = $1",
                &[&name],
            )
            .await?;
        let Some(row) = row else { return Ok(Self::default()) };
        let is = |column: usize| row.get::<_, bool>(column);
        // The first step that is not done yet; when somebody else made the schema, nothing of it will be restored.
        let steps = [
            (is(3), ObjectStage::BeforeData),
            (is(4), ObjectStage::AfterCopy),
            (is(6), ObjectStage::ForeignKey),
            (is(5), ObjectStage::Finish),
            (is(7), ObjectStage::Contents),
        ];
        let pending_from = match is(1) {
            true => None,
            false => steps.iter().find(|(done, _)| !done).map(|(_, stage)| *stage),
        };
        let moved = target
            .query(
                "SELECT schema, name FROM atalaya.tables
                  WHERE migration = $1 AND (schema, name) <> (target_schema, target_name)",
                &[&name],
            )
            .await?;
        let elsewhere =
            moved.iter().map(|row| RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1))).collect();
        Ok(Self { phase: Some(row.get(0)), pending_from, no_owner: is(2), elsewhere })
    }

    /// Whether what is restored in a stage has still to come.
    pub(crate) fn is_pending(&self, stage: ObjectStage) -> bool {
        self.pending_from.is_some_and(|from| stage >= from)
    }
}
