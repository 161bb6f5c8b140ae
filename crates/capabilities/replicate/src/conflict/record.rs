//! Writing conflicts down where an operator finds them: a bounded number of rows a group, and every one counted.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use super::{Conflict, ConflictKind, Resolution};
use crate::Error;

/// Rows of `atalaya.conflicts` that one group writes; beyond it they are only counted.
const ROWS_A_GROUP: usize = 1000;
/// Bytes of a row that is kept; a larger one is left out.
const ROW_BYTES: usize = 64 << 10;

/// Whether values of rows are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Values {
    /// A hash of the key only.
    #[default]
    Masked,
    /// Key and both rows.
    Kept,
}

/// How many conflicts of one kind, and how many of them without a row of their own.
#[derive(Clone, Copy, Default)]
struct Count {
    conflicts: i64,
    unlisted: i64,
}

/// Conflicts of the open group.
pub(crate) struct Recorder {
    migration: String,
    /// Makes the hash of a key another in each migration: that of its slot, whose name ends at random.
    seed: String,
    pub(crate) values: Values,
    pending: Vec<Conflict>,
    counts: HashMap<(RelationName, ConflictKind, Resolution), Count>,
}

impl Recorder {
    pub(crate) fn new(migration: &str, seed: &str, values: Values) -> Self {
        Self {
            migration: migration.to_owned(),
            seed: seed.to_owned(),
            values,
            pending: Vec::new(),
            counts: HashMap::new(),
        }
    }

    /// Takes a conflict of the open group.
    pub(crate) fn add(&mut self, conflict: Conflict) {
        let slot = (conflict.relation.clone(), conflict.kind, conflict.resolution);
        let count = self.counts.entry(slot).or_default();
        count.conflicts += 1;
        if self.pending.len() < ROWS_A_GROUP {
            self.pending.push(conflict);
        } else {
            count.unlisted += 1;
        }
    }

    /// Forgets the open group: it is rolled back.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.counts.clear();
    }

    /// Writes the group's conflicts, within its transaction; answers with a word about them where there are any.
    pub(crate) async fn write(&mut self, target: &Session) -> Result<Option<String>, Error> {
        if self.counts.is_empty() {
            return Ok(None);
        }
        let rows: Vec<serde_json::Value> = self.pending.iter().map(|conflict| self.row_of(conflict)).collect();
        target
            .execute(
                "INSERT INTO atalaya.conflicts (migration, schema, name, kind, commit_lsn, committed_at, policy,
                        resolution, constraint_name, key_columns, key_hash, key, source_row, target_row)
                 SELECT $1, r.schema, r.name, r.kind, r.lsn::pg_lsn,
                        '2000-01-01 00:00:00+00'::timestamptz + r.micros * interval '1 us', r.policy, r.resolution,
                        r.constraint_name, r.key_columns,
                        encode(sha256(convert_to($2 || r.key::text, 'UTF8')), 'hex'),
                        CASE WHEN r.kept AND r.key IS NOT NULL THEN ARRAY(SELECT v.value FROM jsonb_array_elements_text(r.key)
                                                      WITH ORDINALITY AS v(value, n) ORDER BY v.n) END,
                        r.source_row, r.target_row
                   FROM jsonb_to_recordset(($3::text)::jsonb) AS r(
                        schema text, name text, kind text, lsn text, micros int8, policy text, resolution text,
                        constraint_name text, key_columns text[], key jsonb, kept bool, source_row jsonb,
                        target_row jsonb)",
                &[&self.migration, &self.seed, &serde_json::Value::Array(rows).to_string()],
            )
            .await?;
        for ((relation, kind, resolution), count) in &self.counts {
            target
                .execute(
                    "INSERT INTO atalaya.conflict_counts AS c
                            (migration, schema, name, kind, resolution, conflicts, unlisted)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)
                     ON CONFLICT (migration, schema, name, kind, resolution) DO UPDATE
                        SET conflicts = c.conflicts + excluded.conflicts, unlisted = c.unlisted + excluded.unlisted",
                    &[
                        &self.migration,
                        &relation.schema,
                        &relation.name,
                        &kind.as_str(),
                        &resolution.as_str(),
                        &count.conflicts,
                        &count.unlisted,
                    ],
                )
                .await?;
        }
        let sum = |of: fn(&Count) -> i64| self.counts.values().map(of).sum::<i64>();
        let mut text = format!("{} conflicts settled", sum(|count| count.conflicts));
        let unlisted = sum(|count| count.unlisted);
        if unlisted > 0 {
            text.push_str(&format!("; {unlisted} of them are counted only, since a group lists {ROWS_A_GROUP}"));
        }
        self.clear();
        Ok(Some(text))
    }

    /// Keeps a conflict that stops the run, in a transaction of its own: the one that met it is rolled back.
    pub(crate) async fn stop_at(&mut self, target: &Session, conflict: Conflict) -> Result<(), Error> {
        self.clear();
        self.add(conflict.ended(Resolution::Stopped));
        target.batch("BEGIN").await?;
        self.write(target).await?;
        Ok(target.batch("COMMIT").await?)
    }

    fn row_of(&self, conflict: &Conflict) -> serde_json::Value {
        let kept = self.values == Values::Kept;
        // Of a table without a key it is the whole row.
        let key_bytes: usize = conflict.key.iter().map(|value| value.as_ref().map_or(4, String::len) + 1).sum();
        let source: serde_json::Map<String, serde_json::Value> =
            conflict.source_row.iter().map(|(name, value)| (name.clone(), serde_json::json!(value))).collect();
        let source = (kept && !source.is_empty()).then_some(serde_json::Value::Object(source));
        let source = source.filter(|row| row.to_string().len() <= ROW_BYTES);
        let target = conflict.target_row.as_ref().filter(|row| kept && row.len() <= ROW_BYTES);
        let target: Option<serde_json::Value> = target.and_then(|row| serde_json::from_str(row).ok());
        serde_json::json!({
            "schema": conflict.relation.schema,
            "name": conflict.relation.name,
            "kind": conflict.kind.as_str(),
            "lsn": conflict.commit_lsn.to_string(),
            "micros": conflict.committed_at_micros,
            "policy": conflict.policy,
            "resolution": conflict.resolution.as_str(),
            "constraint_name": conflict.constraint,
            "key_columns": conflict.key_columns,
            "key": (key_bytes > 0 && key_bytes <= ROW_BYTES).then_some(&conflict.key),
            "kept": kept,
            "source_row": source,
            "target_row": target,
        })
    }
}
