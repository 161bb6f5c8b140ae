//! Rows that differ are read again from the source and put right, at a fence, in one transaction with the
//! position: the changes that follow then meet exactly what they expect.

use std::collections::{BTreeMap, BTreeSet};

use atalaya_catalog::{Column, Relation, RelationKind};
use atalaya_control::FenceState;
use atalaya_data::{RelationName, quote_identifier, quote_literal};
use atalaya_estate::ConflictPolicy;
use atalaya_postgres::catalog::read_relations;
use atalaya_postgres::{Row, Session, ToSql};

use crate::Error;
use crate::apply::output_sql;
use crate::follow::Follower;

/// Rows read and written at a time.
const BATCH: usize = 500;

impl Follower<'_> {
    /// Repairs what a request lists; the target holds exactly the commits before the request's fence.
    pub(super) async fn repair(&mut self, id: i64) -> Result<(), Error> {
        let slot =
            self.requests.open.iter_mut().find(|request| request.id == id).and_then(|request| request.slot.take());
        let Some(slot) = slot else {
            return self.requests.close(id, FenceState::Expired, "the fence was lost").await;
        };
        let plan = self.opened.plan;
        let source = Session::connect(&plan.source, &format!("atalaya repair {}", plan.name)).await?;
        source.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        source.batch(&format!("SET TRANSACTION SNAPSHOT {}", quote_literal(slot.snapshot()))).await?;
        drop(slot);
        let outcome = self.repair_in_transaction(&source, id).await;
        let target = self.applier.session();
        match outcome {
            Ok(rows) => {
                target.batch("COMMIT").await?;
                self.requests.close(id, FenceState::Released, &format!("{rows} rows read again")).await
            }
            // What a connection says is the run's matter; what a row says is the request's, and the run goes on.
            Err(error) if error.is_transient() => {
                target.batch("ROLLBACK").await?;
                Err(error)
            }
            Err(error) => {
                target.batch("ROLLBACK").await?;
                self.requests.close(id, FenceState::Expired, &atalaya_data::chain(&error)).await
            }
        }
    }

    async fn repair_in_transaction(&mut self, source: &Session, id: i64) -> Result<usize, Error> {
        let target = self.applier.session();
        let migration = quote_literal(&self.opened.plan.name);
        target
            .batch(&format!(
                "BEGIN; UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = {migration} AND writer = 0"
            ))
            .await?;
        let tables = target
            .query(
                "SELECT schema, name, target_schema, target_name, conflicts FROM atalaya.tables WHERE migration = $1",
                &[&self.opened.plan.name.as_str()],
            )
            .await?;
        let target_of = |row: &Row| RelationName::new(row.get::<_, String>(2), row.get::<_, String>(3));
        let pairs: Vec<(RelationName, RelationName)> = tables
            .iter()
            .map(|row| (RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)), target_of(row)))
            .collect();
        let policies: BTreeMap<RelationName, String> = tables.iter().map(|row| (target_of(row), row.get(4))).collect();
        let (sources, targets) = (read_relations(source).await?, read_relations(target).await?);
        let mut repaired = 0;
        let listed = listed_rows(target, id, &pairs).await?;
        refuse_undoing(&listed, &policies)?;
        for listed in listed {
            // All that make up the target's table: a row may have come from any of them.
            let names = pairs.iter().filter(|(_, to)| *to == listed.target).map(|(name, _)| name);
            let table = Repaired {
                sources: names.map(|name| find(&sources, name)).collect::<Result<_, _>>()?,
                target: find(&targets, &listed.target)?,
            };
            let identity = table.identity_names();
            let names: Vec<&str> = identity.iter().map(String::as_str).collect();
            self.applier.note_keys(&listed.target, &names, &listed.keys).await?;
            let target = self.applier.session();
            // Every row goes before one comes: a value of another unique key may pass from row to row.
            for keys in listed.keys.chunks(BATCH) {
                table.delete(target, keys).await?;
            }
            for keys in listed.keys.chunks(BATCH) {
                table.read_again(source, target, keys).await?;
                repaired += keys.len();
            }
        }
        let target = self.applier.session();
        target.execute("DELETE FROM atalaya.repair_rows WHERE control_id = $1", &[&id]).await?;
        // Written last, like every position of ours; the repair itself does not move it.
        target
            .batch(&format!(
                "UPDATE atalaya.progress SET applied = applied WHERE migration = {migration} AND writer = 0"
            ))
            .await?;
        Ok(repaired)
    }
}

/// What a request lists of one table of the target.
struct Listed {
    target: RelationName,
    keys: Vec<Vec<Option<String>>>,
}

/// Rows that differ because a policy let the target's win are decisions; read again they would be undone in silence.
fn refuse_undoing(listed: &[Listed], policies: &BTreeMap<RelationName, String>) -> Result<(), Error> {
    let decided = listed.iter().find_map(|listed| {
        let policy = policies.get(&listed.target)?;
        let keeps = policy.parse::<ConflictPolicy>().is_ok_and(|policy| policy.keeps_rows_of_the_target());
        keeps.then_some((&listed.target, policy))
    });
    match decided {
        None => Ok(()),
        Some((table, policy)) => Err(Error::refused(
            "repair-undoes-decisions",
            format!(
                "rows of table {table} differ because `{policy}` let the target's row stand: repair the others with \
                 `--exclude`, or start with `--conflicts` and another policy for it first"
            ),
            "exclude the table, or give it another policy",
        )),
    }
}

async fn listed_rows(target: &Session, id: i64, pairs: &[(RelationName, RelationName)]) -> Result<Vec<Listed>, Error> {
    let rows = target
        .query("SELECT DISTINCT schema, name, key FROM atalaya.repair_rows WHERE control_id = $1", &[&id])
        .await?;
    let mut by_target: BTreeMap<&RelationName, BTreeSet<Vec<Option<String>>>> = BTreeMap::new();
    for row in rows {
        let name = RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let (_, to) = pairs
            .iter()
            .find(|(from, _)| *from == name)
            .ok_or(Error::Broken("a table to be repaired is not part of the migration"))?;
        by_target.entry(to).or_default().insert(row.get(2));
    }
    Ok(by_target
        .into_iter()
        .map(|(target, keys)| Listed { target: target.clone(), keys: keys.into_iter().collect() })
        .collect())
}

fn find<'all>(relations: &'all [Relation], name: &RelationName) -> Result<&'all Relation, Error> {
    relations.iter().find(|relation| relation.name == *name).ok_or(Error::Broken("a table to be repaired is gone"))
}

/// A table of the target and the source's tables that make it up.
struct Repaired<'all> {
    sources: Vec<&'all Relation>,
    target: &'all Relation,
}

impl Repaired<'_> {
    /// The columns that the listed rows are known by.
    fn identity(&self) -> Vec<Column> {
        self.sources.first().map(|relation| identity(relation)).unwrap_or_default()
    }

    /// Names of the key's columns; none for a table without a key.
    fn identity_names(&self) -> Vec<String> {
        let keyed = self.sources.first().into_iter().flat_map(|relation| relation.key_columns());
        keyed.map(|column| column.name.clone()).collect()
    }

    /// Deletes the listed rows on the target; those of children that inherit from the table are not its own.
    async fn delete(&self, target: &Session, keys: &[Vec<Option<String>>]) -> Result<(), Error> {
        let identity = self.identity();
        let columns = transposed(keys, identity.len());
        let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        let only = if self.target.kind == RelationKind::Partitioned { "" } else { "ONLY " };
        target
            .execute(
                &format!(
                    "DELETE FROM {only}{} AS t USING {} WHERE {}",
                    self.target.name.to_sql(),
                    wanted(identity.len()),
                    matches(&identity, self.target)
                ),
                &parameters,
            )
            .await?;
        Ok(())
    }

    /// Inserts what the source has under the listed identities.
    async fn read_again(&self, source: &Session, target: &Session, keys: &[Vec<Option<String>>]) -> Result<(), Error> {
        let identity = self.identity();
        let columns = transposed(keys, identity.len());
        let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        for relation in &self.sources {
            let data: Vec<String> = relation.data_columns().map(|column| column.name.clone()).collect();
            let select: Vec<String> =
                data.iter().map(|name| output_sql(&format!("t.{}", quote_identifier(name)))).collect();
            let rows = source
                .query(
                    &format!(
                        "SELECT ARRAY[{}]::text[] FROM ONLY {} AS t JOIN {} ON {}",
                        select.join(", "),
                        relation.name.to_sql(),
                        wanted(identity.len()),
                        matches(&identity, relation)
                    ),
                    &parameters,
                )
                .await?;
            let rows: Vec<Vec<Option<String>>> = rows.iter().map(|row| row.get(0)).collect();
            self.insert(target, &data, &rows).await?;
        }
        Ok(())
    }

    async fn insert(&self, target: &Session, data: &[String], rows: &[Vec<Option<String>>]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let casts: Vec<String> = data
            .iter()
            .enumerate()
            .map(|(position, name)| {
                let column = self.target.columns.iter().find(|column| column.name == *name);
                column
                    .map(|column| format!("w.c{position}::{}", column.type_sql))
                    .ok_or(Error::Broken("a column to be repaired is missing on the target"))
            })
            .collect::<Result<_, _>>()?;
        let names: Vec<String> = data.iter().map(|name| quote_identifier(name)).collect();
        let columns = transposed(rows, data.len());
        let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        target
            .execute(
                &format!(
                    "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}",
                    self.target.name.to_sql(),
                    names.join(", "),
                    casts.join(", "),
                    wanted(data.len())
                ),
                &parameters,
            )
            .await?;
        Ok(())
    }
}

/// Columns a row is known by: the key's, or all for a table without one.
fn identity(relation: &Relation) -> Vec<Column> {
    if relation.key.is_some() {
        relation.key_columns().cloned().collect()
    } else {
        relation.data_columns().cloned().collect()
    }
}

/// Rows as one array a column.
fn transposed(rows: &[Vec<Option<String>>], columns: usize) -> Vec<Vec<Option<&str>>> {
    (0..columns)
        .map(|position| rows.iter().map(|row| row.get(position).and_then(|value| value.as_deref())).collect())
        .collect()
}

fn wanted(columns: usize) -> String {
    let arrays: Vec<String> = (1..=columns).map(|number| format!("${number}::text[]")).collect();
    let names: Vec<String> = (0..columns).map(|position| format!("c{position}")).collect();
    format!("unnest({}) AS w({})", arrays.join(", "), names.join(", "))
}

/// The very text of each column, so that `1.0` is not taken for `1.00`; beside it, the key's own equality lets an
/// index find the row.
fn matches(identity: &[Column], relation: &Relation) -> String {
    let keyed = relation.key.is_some();
    let matches: Vec<String> = identity
        .iter()
        .enumerate()
        .map(|(position, column)| {
            let name = format!("t.{}", quote_identifier(&column.name));
            let own = output_sql(&name);
            let same = format!("{own} COLLATE \"C\" IS NOT DISTINCT FROM w.c{position} COLLATE \"C\"");
            // By bytes comparable types are built-in ones, whose equality has no other name.
            if keyed && column.byte_comparable {
                format!("{name} = w.c{position}::{} AND {same}", column.type_sql)
            } else {
                same
            }
        })
        .collect();
    matches.join(" AND ")
}
