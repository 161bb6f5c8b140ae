//! Rows of `atalaya.tables`.

use std::collections::HashMap;

use atalaya_catalog::Relation;
use atalaya_data::{Lsn, RelationName, quote_literal};
use atalaya_estate::ConflictPolicy;

use super::store::Store;
use crate::Error;
use crate::ddl::Definition;

/// One table of a migration.
#[derive(Clone, Debug)]
pub(crate) struct TableRow {
    pub(crate) source: RelationName,
    pub(crate) target: RelationName,
    pub(crate) start_lsn: Option<Lsn>,
    pub(crate) done: bool,
    /// How many ranges the table is copied in, once that is decided.
    pub(crate) ranges: Option<i32>,
    pub(crate) append_only: bool,
    pub(crate) estimated_bytes: u64,
    /// Whether other tables of the source make up the same table of the target.
    pub(crate) shares_target: bool,
    /// What the source's table was before the snapshot.
    pub(crate) definition: Option<Definition>,
    /// Its entry in the source's publication, as it was seen first.
    pub(crate) publication_entry: Option<u32>,
    /// The addition it came with, if it was not there from the beginning.
    pub(crate) added: Option<String>,
    /// What is done with rows that somebody else wrote to the target's table.
    pub(crate) conflicts: ConflictPolicy,
}

/// What becomes of tables where the target's trees are others than the source's, when they are copied again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reassigned {
    /// Tables that go into another table of the target.
    pub(crate) moved: Vec<(RelationName, RelationName)>,
    /// Tables that the source has no more.
    pub(crate) gone: Vec<RelationName>,
}

fn unzipped(names: &[RelationName]) -> (Vec<&str>, Vec<&str>) {
    names.iter().map(|name| (name.schema.as_str(), name.name.as_str())).unzip()
}

fn definition_from(text: Option<String>) -> Result<Option<Definition>, Error> {
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|_| Error::Broken("a table's stored definition cannot be read"))
}

impl Store<'_> {
    /// Writes down what the source's tables were before a snapshot: of those whose copy is not finished.
    pub(crate) async fn write_definitions(&self, read: &HashMap<RelationName, Definition>) -> Result<(), Error> {
        let (mut tables, mut definitions) = (Vec::new(), Vec::new());
        for table in self.read_tables().await?.into_iter().filter(|table| !table.done) {
            let Some(definition) = read.get(&table.source) else {
                return Err(Error::SchemaChange {
                    relation: table.source,
                    change: "it is gone from the source".to_owned(),
                });
            };
            definitions.push(serde_json::json!(definition).to_string());
            tables.push(table.source);
        }
        let (schemas, names) = unzipped(&tables);
        self.session
            .execute(
                "UPDATE atalaya.tables t SET definition = d.definition::jsonb
                   FROM unnest($2::text[], $3::text[], $4::text[]) AS d (schema, name, definition)
                  WHERE t.migration = $1 AND t.schema = d.schema AND t.name = d.name",
                &[&self.name, &schemas, &names, &definitions],
            )
            .await?;
        Ok(())
    }

    /// Writes down which entry of the publication each table is known by.
    pub(crate) async fn write_publication_entries(&self, entries: &[(&RelationName, u32)]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let schemas: Vec<&str> = entries.iter().map(|(table, _)| table.schema.as_str()).collect();
        let names: Vec<&str> = entries.iter().map(|(table, _)| table.name.as_str()).collect();
        let oids: Vec<u32> = entries.iter().map(|(_, entry)| *entry).collect();
        self.session
            .execute(
                "UPDATE atalaya.tables t SET publication_entry = e.entry
                   FROM unnest($2::text[], $3::text[], $4::oid[]) AS e (schema, name, entry)
                  WHERE t.migration = $1 AND t.schema = e.schema AND t.name = e.name",
                &[&self.name, &schemas, &names, &oids],
            )
            .await?;
        Ok(())
    }

    /// The statement that writes down what one table of the source is by now.
    pub(crate) fn definition_sql(&self, table: &RelationName, definition: &Definition) -> String {
        format!(
            "UPDATE atalaya.tables SET definition = {} WHERE migration = {} AND schema = {} AND name = {}",
            quote_literal(&serde_json::json!(definition).to_string()),
            quote_literal(self.name),
            quote_literal(&table.schema),
            quote_literal(&table.name)
        )
    }

    /// Writes the list of tables, replacing an earlier one of a run that did not get to its slot.
    pub(crate) async fn write_tables(&self, tables: &[(&Relation, RelationName, bool)]) -> Result<(), Error> {
        self.session.execute("DELETE FROM atalaya.tables WHERE migration = $1", &[&self.name]).await?;
        self.insert_tables(tables, None).await
    }

    /// Writes further tables, not copied yet; `added` names the addition they come with.
    pub(crate) async fn insert_tables(
        &self,
        tables: &[(&Relation, RelationName, bool)],
        added: Option<&str>,
    ) -> Result<(), Error> {
        let names = |name: fn(&(&Relation, RelationName, bool)) -> String| tables.iter().map(name).collect::<Vec<_>>();
        let rows: Vec<f64> = tables.iter().map(|(relation, ..)| relation.estimated_rows.max(0.0)).collect();
        let bytes: Vec<i64> =
            tables.iter().map(|(relation, ..)| i64::try_from(relation.bytes).unwrap_or(i64::MAX)).collect();
        let append_only: Vec<bool> = tables.iter().map(|(.., append_only)| *append_only).collect();
        // One statement, for each would wait for the target's disk.
        self.session
            .execute(
                "INSERT INTO atalaya.tables (migration, schema, name, target_schema, target_name, append_only,
                                             estimated_rows, estimated_bytes, added)
                 SELECT $1, t.*, $9 FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[],
                                                $7::float8[], $8::bigint[]) AS t",
                &[
                    &self.name,
                    &names(|(relation, ..)| relation.name.schema.clone()),
                    &names(|(relation, ..)| relation.name.name.clone()),
                    &names(|(_, target, _)| target.schema.clone()),
                    &names(|(_, target, _)| target.name.clone()),
                    &append_only,
                    &rows,
                    &bytes,
                    &added,
                ],
            )
            .await?;
        Ok(())
    }

    /// Has tables copied anew, with all that share their target: what is stored of their first copy counts no more. First,
    /// some go elsewhere, and others are forgotten.
    pub(crate) async fn begin_again(&self, targets: &[RelationName], reassigned: &Reassigned) -> Result<(), Error> {
        let (schemas, names) = unzipped(targets);
        let (gone_schemas, gone_names) = unzipped(&reassigned.gone);
        let (from, to): (Vec<RelationName>, Vec<RelationName>) = reassigned.moved.iter().cloned().unzip();
        let ((from_schemas, from_names), (to_schemas, to_names)) = (unzipped(&from), unzipped(&to));
        self.session.batch("BEGIN").await?;
        let begun = async {
            self.session
                .execute(
                    "DELETE FROM atalaya.tables
                      WHERE migration = $1 AND (schema, name) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
                    &[&self.name, &gone_schemas, &gone_names],
                )
                .await?;
            self.session
                .execute(
                    "UPDATE atalaya.tables t SET target_schema = m.to_schema, target_name = m.to_name
                       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS m (schema, name, to_schema, to_name)
                      WHERE t.migration = $1 AND t.schema = m.schema AND t.name = m.name",
                    &[&self.name, &from_schemas, &from_names, &to_schemas, &to_names],
                )
                .await?;
            self.begin_targets_again(&schemas, &names).await
        };
        match begun.await {
            Ok(()) => Ok(self.session.batch("COMMIT").await?),
            Err(error) => {
                // The error is what counts; a session that is lost has rolled back already.
                let _rolled_back = self.session.batch("ROLLBACK").await;
                Err(error)
            }
        }
    }

    async fn begin_targets_again(&self, schemas: &[&str], names: &[&str]) -> Result<(), Error> {
        self.session
            .execute(
                "WITH again AS (
                     UPDATE atalaya.tables t
                        SET state = 'pending', start_lsn = NULL, ranges = NULL, copied_rows = 0, copied_bytes = 0,
                            definition = NULL, publication_entry = NULL
                      WHERE migration = $1
                        AND (target_schema, target_name) IN (SELECT * FROM unnest($2::text[], $3::text[]))
                  RETURNING migration, schema, name)
                 DELETE FROM atalaya.copy_ranges r USING again a
                  WHERE r.migration = a.migration AND r.schema = a.schema AND r.name = a.name",
                &[&self.name, &schemas, &names],
            )
            .await?;
        Ok(())
    }

    /// Forgets what was proven of tables that are copied once more.
    pub(crate) async fn forget_proofs(&self, tables: &[TableRow]) -> Result<(), Error> {
        let (schemas, names): (Vec<&str>, Vec<&str>) =
            tables.iter().map(|table| (table.target.schema.as_str(), table.target.name.as_str())).unzip();
        for proof in ["proof_tables", "touched"] {
            self.session
                .execute(
                    &format!(
                        "DELETE FROM atalaya.{proof} WHERE migration = $1
                            AND (schema, name) IN (SELECT * FROM unnest($2::text[], $3::text[]))"
                    ),
                    &[&self.name, &schemas, &names],
                )
                .await?;
        }
        Ok(())
    }

    /// The statements that forget what was proven of one table of the target.
    pub(crate) fn forget_proof_sql(&self, target: &RelationName) -> Vec<String> {
        let of = |proof: &str| {
            format!(
                "DELETE FROM atalaya.{proof} WHERE migration = {} AND schema = {} AND name = {}",
                quote_literal(self.name),
                quote_literal(&target.schema),
                quote_literal(&target.name)
            )
        };
        ["proof_tables", "touched"].map(of).into()
    }

    /// Forgets tables of an addition that came to nothing, also those whose rows were there already.
    pub(crate) async fn forget_added(&self, tables: &[TableRow]) -> Result<(), Error> {
        let (schemas, names): (Vec<&str>, Vec<&str>) =
            tables.iter().map(|table| (table.source.schema.as_str(), table.source.name.as_str())).unzip();
        self.session
            .execute(
                "DELETE FROM atalaya.tables WHERE migration = $1 AND added IS NOT NULL
                    AND (schema, name) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
                &[&self.name, &schemas, &names],
            )
            .await?;
        Ok(())
    }

    /// Ends the copy of tables that came later.
    pub(crate) async fn leave_snapshot(&self) -> Result<(), Error> {
        self.session.execute("UPDATE atalaya.migration SET snapshot = NULL WHERE name = $1", &[&self.name]).await?;
        Ok(())
    }

    /// All tables, the largest first.
    pub(crate) async fn read_tables(&self) -> Result<Vec<TableRow>, Error> {
        let rows = self
            .session
            .query(
                "SELECT schema, name, target_schema, target_name, start_lsn::text, state = 'done', ranges, append_only,
                        estimated_bytes, count(*) OVER (PARTITION BY target_schema, target_name) > 1,
                        definition::text, conflicts, added, publication_entry
                   FROM atalaya.tables WHERE migration = $1
                  ORDER BY estimated_bytes DESC, schema, name",
                &[&self.name],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let start: Option<String> = row.get(4);
                let start_lsn = start
                    .map(|text| text.parse().map_err(|_| Error::Broken("a table's position cannot be read")))
                    .transpose()?;
                Ok(TableRow {
                    source: RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
                    target: RelationName::new(row.get::<_, String>(2), row.get::<_, String>(3)),
                    start_lsn,
                    done: row.get(5),
                    ranges: row.get(6),
                    append_only: row.get(7),
                    estimated_bytes: u64::try_from(row.get::<_, i64>(8)).unwrap_or_default(),
                    shares_target: row.get(9),
                    definition: definition_from(row.get(10))?,
                    conflicts: row.get::<_, String>(11).parse().map_err(|_| {
                        Error::refused(
                            "unreadable-state",
                            "atalaya.tables holds a conflict policy that this version does not know",
                            "use the version of atalaya that began this migration",
                        )
                    })?,
                    added: row.get(12),
                    publication_entry: row.get(13),
                })
            })
            .collect()
    }
}
