//! Whether UPDATE and DELETE of each table can be followed, at what cost, and without harm to the source.

use atalaya_catalog::{Generated, Relation, ReplicaIdentity};
use atalaya_data::RelationName;

use crate::identity::{self, Choice};
use crate::{Check, Error, Facts, Finding, Outcome, Severity};

use super::support::{by_table, bytes, name_of, ready};

/// Without a key every UPDATE and DELETE looks through the whole table on the target.
const LARGE_WITHOUT_KEY_BYTES: u64 = 64 * 1024 * 1024;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "replica-identity",
        title: "UPDATE and DELETE of every table can be followed",
        severity: Severity::Fail,
        why: "without a replica identity the log does not say which row was changed, and once published the source refuses its own UPDATE and DELETE",
        remedy: "set a replica identity (`--set-replica-identity` does it), declare the table append-only, or exclude it",
        run: |facts| Box::pin(replica_identity(facts)),
    },
    Check {
        id: "append-only",
        title: "tables declared append-only have seen no UPDATE or DELETE",
        severity: Severity::Warn,
        why: "published for INSERT alone, an UPDATE of such a table would not be followed; the run stops when it sees one",
        remedy: "give the table a replica identity instead, or make sure that the counters stay as they are",
        run: |facts| Box::pin(append_only(facts)),
    },
    Check {
        id: "full-identity-cost",
        title: "no large table is followed by whole rows without a key",
        severity: Severity::Warn,
        why: "REPLICA IDENTITY FULL writes the whole old row to the log, and without a key each change looks for its row by all columns",
        remedy: "add a primary key, or a unique index over NOT NULL columns",
        run: |facts| ready(full_cost(facts)),
    },
    Check {
        id: "full-identity-types",
        title: "whole rows can be found by the equality of their types",
        severity: Severity::Warn,
        why: "json, xml, point and the like have no equality (or one that takes different values for equal); such rows are found by their text, which no index serves",
        remedy: "add a primary key, or a unique index over NOT NULL columns",
        run: |facts| Box::pin(full_types(facts)),
    },
    Check {
        id: "identity-generated",
        title: "no replica identity holds a generated column",
        severity: Severity::Fail,
        why: "generated columns are not published: before 18 the key arrives incomplete, and from 18 on the source refuses its own UPDATE and DELETE of a published table whose identity (FULL included) holds one",
        remedy: "set a replica identity over stored columns only, declare the table append-only, or exclude it",
        run: |facts| Box::pin(generated(facts)),
    },
    Check {
        id: "keyless-tables",
        title: "every table has a key",
        severity: Severity::Warn,
        why: "rows without a key are compared as a multiset and copied without ranges; equal rows cannot be told apart",
        remedy: "add a primary key where there can be one",
        run: |facts| ready(keyless(facts)),
    },
    Check {
        id: "arrays-without-key",
        title: "no table with array columns lacks a key",
        severity: Severity::Warn,
        why: "rows found by all their columns must match arrays with their bounds and NULLs too, which is slow",
        remedy: "add a primary key",
        run: |facts| ready(arrays_without_key(facts)),
    },
    Check {
        id: "key-types",
        title: "keys are equal only when their bytes are",
        severity: Severity::Info,
        why: "numeric, float, citext and the like hold different values that count as equal (1.0 and 1.00): changes of such keys are applied one by one",
        remedy: "none is needed; expect slower apply for these tables",
        run: |facts| ready(key_types(facts)),
    },
    Check {
        id: "large-keys",
        title: "no key is made of types for large values",
        severity: Severity::Warn,
        why: "bytea and jsonb in a key make every comparison and every change heavy",
        remedy: "prefer a short key; nothing is lost otherwise",
        run: |facts| ready(large_keys(facts)),
    },
    Check {
        id: "publication-safety",
        title: "no existing publication makes writes fail",
        severity: Severity::Fail,
        why: "a publication FOR ALL TABLES on the target would refuse applied changes of tables without identity; on the source such tables refuse UPDATE and DELETE already",
        remedy: "set the tables' replica identity, or publish insert only",
        run: |facts| Box::pin(publication_safety(facts)),
    },
];

async fn replica_identity(facts: &Facts) -> Result<Outcome, Error> {
    let lacking = identity::lacking(facts).await?;
    let findings: Vec<Finding> = lacking
        .into_iter()
        .map(|table| {
            let finding = Finding::fail(table.seen).on(&table.name);
            match table.choice {
                Choice::Set { sql, .. } => finding.remedy(sql),
                Choice::None { reason } => finding.remedy(reason),
            }
        })
        .collect();
    Ok(findings.into())
}

async fn append_only(facts: &Facts) -> Result<Outcome, Error> {
    let declared: Vec<u32> =
        facts.moving().filter(|relation| facts.is_append_only(relation)).map(|relation| relation.oid).collect();
    if declared.is_empty() {
        return Ok(Outcome::NotApplicable("no table is declared append-only"));
    }
    let rows = facts
        .source
        .query(
            "SELECT schemaname::text, relname::text, n_tup_upd, n_tup_del
               FROM pg_catalog.pg_stat_all_tables
              WHERE relid = ANY($1) AND n_tup_upd + n_tup_del > 0 ORDER BY 1, 2",
            &[&declared],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (updates, deletes): (i64, i64) = (row.get(2), row.get(3));
            Finding::warn(format!("{updates} rows updated and {deletes} deleted since the statistics were reset"))
                .on(name_of(row))
        })
        .collect::<Vec<_>>()
        .into())
}

fn full_without_key(facts: &Facts) -> impl Iterator<Item = &Relation> {
    facts.moving().filter(|relation| relation.replica_identity == ReplicaIdentity::Full && relation.key.is_none())
}

fn full_cost(facts: &Facts) -> Outcome {
    full_without_key(facts)
        .filter(|relation| relation.bytes >= LARGE_WITHOUT_KEY_BYTES)
        .map(|relation| {
            Finding::warn(format!(
                "{} without a key under REPLICA IDENTITY FULL",
                bytes(i64::try_from(relation.bytes).unwrap_or(i64::MAX))
            ))
            .on(&relation.name)
        })
        .collect::<Vec<_>>()
        .into()
}

/// Whether a type, or what a domain or an array is made of, has a default operator class that knows equality.
/// Shapes such as box have an `=` that compares areas, but no such class.
const TYPES_WITHOUT_EQUALITY: &str = "
    WITH RECURSIVE parts AS (
        SELECT a.attrelid, a.attnum, a.attname, a.atttypid AS typ
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
        UNION
        SELECT p.attrelid, p.attnum, p.attname,
               CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
          FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.typ
         WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)
    )
    SELECT n.nspname::text, c.relname::text, p.attname || ' ' || pg_catalog.format_type(p.typ, NULL)
      FROM parts p
      JOIN pg_catalog.pg_type t ON t.oid = p.typ
      JOIN pg_catalog.pg_class c ON c.oid = p.attrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE t.typtype = 'b' AND t.typcategory <> 'A'
       AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
            WHERE o.opcdefault AND m.amname IN ('btree', 'hash')
              AND (o.opcintype = t.oid OR EXISTS (
                   SELECT FROM pg_catalog.pg_cast k
                    WHERE k.castsource = t.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b'
                      AND k.castcontext = 'i')))
     ORDER BY 1, 2, 3";

async fn full_types(facts: &Facts) -> Result<Outcome, Error> {
    let tables: Vec<u32> = full_without_key(facts).map(|relation| relation.oid).collect();
    let rows = facts.source.query(TYPES_WITHOUT_EQUALITY, &[&tables]).await?;
    Ok(by_table(&rows, |_, columns| Finding::warn(format!("columns without equality: {columns}"))).into())
}

async fn generated(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for relation in facts.moving().filter(|relation| !facts.is_append_only(relation)) {
        let in_key = relation.key_columns().any(|column| column.generated != Generated::No);
        let anywhere = relation.columns.iter().any(|column| column.generated != Generated::No);
        let seen = match &relation.replica_identity {
            ReplicaIdentity::Full if anywhere && facts.source.major() >= 18 => {
                "REPLICA IDENTITY FULL holds a generated column that is not published: the source would refuse UPDATE and DELETE"
            }
            ReplicaIdentity::Default | ReplicaIdentity::Index(_) if in_key && relation.followable => {
                "the replica identity's index holds a generated column"
            }
            _ => continue,
        };
        let finding = Finding::fail(seen).on(&relation.name);
        findings.push(match identity::choose(&facts.source, relation, identity::Full::Never).await? {
            Choice::Set { sql, .. } => finding.remedy(sql),
            Choice::None { .. } => finding.remedy(
                "add a unique index over NOT NULL columns that are not generated, then set it as the replica identity",
            ),
        });
    }
    Ok(findings.into())
}

fn keyless(facts: &Facts) -> Outcome {
    facts
        .moving()
        .filter(|relation| relation.key.is_none())
        .map(|relation| Finding::warn("no primary key and no unique index over NOT NULL columns").on(&relation.name))
        .collect::<Vec<_>>()
        .into()
}

fn arrays_without_key(facts: &Facts) -> Outcome {
    facts
        .moving()
        .filter(|relation| relation.key.is_none())
        .filter_map(|relation| {
            let arrays: Vec<&str> = relation
                .columns
                .iter()
                .filter(|column| column.type_kind == atalaya_catalog::TypeKind::Array)
                .map(|column| column.name.as_str())
                .collect();
            (!arrays.is_empty())
                .then(|| Finding::warn(format!("array columns and no key: {}", arrays.join(", "))).on(&relation.name))
        })
        .collect::<Vec<_>>()
        .into()
}

/// Types whose equal values may differ in their bytes.
const LOOSE_TYPES: &[&str] =
    &["numeric", "real", "double precision", "interval", "jsonb", "citext", "character", "numrange"];
/// Types made for large values. Text is left out: short texts are common keys.
const LARGE_TYPES: &[&str] = &["bytea", "jsonb"];

fn key_columns_of(facts: &Facts, types: &[&str]) -> Vec<(RelationName, String)> {
    facts
        .moving()
        .filter_map(|relation| {
            let columns: Vec<String> = relation
                .key_columns()
                .filter(|column| {
                    let bare = column.type_sql.rsplit('.').next().unwrap_or_default();
                    types.contains(&bare)
                })
                .map(|column| format!("{} {}", column.name, column.declared_type))
                .collect();
            (!columns.is_empty()).then(|| (relation.name.clone(), columns.join(", ")))
        })
        .collect()
}

fn key_types(facts: &Facts) -> Outcome {
    key_columns_of(facts, LOOSE_TYPES)
        .into_iter()
        .map(|(name, columns)| Finding::info(format!("key columns whose equal values may differ: {columns}")).on(name))
        .collect::<Vec<_>>()
        .into()
}

fn large_keys(facts: &Facts) -> Outcome {
    key_columns_of(facts, LARGE_TYPES)
        .into_iter()
        .map(|(name, columns)| Finding::warn(format!("key columns of large types: {columns}")).on(name))
        .collect::<Vec<_>>()
        .into()
}

async fn publication_safety(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT DISTINCT n.nspname::text, c.relname::text, p.pubname::text
               FROM pg_catalog.pg_publication p
               CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname::text) t
               JOIN pg_catalog.pg_class c ON c.oid = t.relid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE (p.pubupdate OR p.pubdelete) AND c.relkind = 'r'
                AND (c.relreplident = 'n'
                     OR c.relreplident = 'i' AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisreplident)
                     OR c.relreplident = 'd' AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_index x
                         WHERE x.indrelid = c.oid AND x.indisprimary AND x.indimmediate))
              ORDER BY 1, 2, 3",
            &[],
        )
        .await?;
    let mut findings = by_table(&rows, |_, publications| {
        Finding::warn(format!(
            "published without a replica identity by {publications}: the source refuses UPDATE and DELETE of it now"
        ))
    });
    let everything = facts
        .target
        .query(
            "SELECT pubname::text FROM pg_catalog.pg_publication
              WHERE puballtables AND (pubupdate OR pubdelete) ORDER BY 1",
            &[],
        )
        .await?;
    let lacks = |relation: &&Relation| !relation.followable;
    let unidentified: Vec<String> = facts.moving().filter(lacks).map(|relation| relation.name.to_string()).collect();
    for row in everything {
        let publication: String = row.get(0);
        findings.push(if unidentified.is_empty() {
            Finding::warn("publishes every table on the target, those that arrive too").on(&publication)
        } else {
            Finding::fail(format!(
                "publishes every table on the target: applied changes of {} would be refused",
                super::support::listed(&unidentified, 5)
            ))
            .on(&publication)
            .remedy(format!("DROP PUBLICATION {};", atalaya_data::quote_identifier(&publication)))
        });
    }
    Ok(findings.into())
}
