//! What the target holds already.

use atalaya_catalog::Relation;
use atalaya_data::{RelationName, quote_identifier};

use crate::{Check, Error, Facts, Finding, Outcome, Severity};

use super::support::{listed, name_of, ready};

/// Tables whose emptiness is looked at; more would take too long, and one is enough to refuse.
const EMPTINESS_LOOKS_MAX: usize = 1_000;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "target-empty",
        title: "the target database is empty, or its schema is meant to be used",
        severity: Severity::Fail,
        why: "restoring a schema over objects that exist fails half-way, or mixes two schemas",
        remedy: "use an empty database, or say `--existing-schema`",
        run: |facts| Box::pin(empty(facts)),
    },
    Check {
        id: "target-schema",
        title: "an existing schema of the target takes every row",
        severity: Severity::Fail,
        why: "with --existing-schema nothing is restored: each table and column must be there, with its type",
        remedy: "alter the target's table, or restore the schema from the source",
        run: |facts| Box::pin(schema(facts)),
    },
    Check {
        id: "target-rows",
        title: "the target's tables hold no rows yet",
        severity: Severity::Fail,
        why: "rows that are there would collide with copied ones, or double them",
        remedy: "truncate these tables on the target, or use an empty database",
        run: |facts| Box::pin(rows(facts)),
    },
    Check {
        id: "target-keys",
        title: "tables of an existing target have the source's key",
        severity: Severity::Warn,
        why: "changes find their row by the source's key: without a unique index on it each change reads the whole table, and rows that should be one may become two",
        remedy: "make the unique index on the target",
        run: |facts| ready(keys(facts)),
    },
    Check {
        id: "target-load-cost",
        title: "nothing on an existing target slows or refuses the copy",
        severity: Severity::Fail,
        why: "foreign keys, triggers and secondary indexes that exist during the copy cost a multiple of its time; where the role cannot switch foreign keys off, they refuse rows in the order they come",
        remedy: "drop them for the time of the copy, or let the schema be restored in sections",
        run: |facts| Box::pin(load_cost(facts)),
    },
];

fn not_extension(relation: &&Relation) -> bool {
    relation.extension.is_none()
}

async fn empty(facts: &Facts) -> Result<Outcome, Error> {
    let ours: Vec<String> =
        facts.target.relations.iter().filter(not_extension).map(|relation| relation.name.to_string()).collect();
    let others = facts
        .target
        .query(
            "SELECT k || ' ' || n.nspname || '.' || o.name FROM (
                SELECT 'type' AS k, t.typnamespace AS ns, t.typname AS name, 'pg_catalog.pg_type'::regclass AS class, t.oid
                  FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
                 WHERE t.typtype IN ('c', 'd', 'e', 'r') AND (t.typrelid = 0 OR c.relkind = 'c')
                UNION ALL
                SELECT 'function', p.pronamespace, p.proname, 'pg_catalog.pg_proc'::regclass, p.oid
                  FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
                UNION ALL
                SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'view' END, c.relnamespace, c.relname,
                       'pg_catalog.pg_class'::regclass, c.oid
                  FROM pg_catalog.pg_class c WHERE c.relkind IN ('S', 'v', 'm')) o
               JOIN pg_catalog.pg_namespace n ON n.oid = o.ns
              WHERE o.oid >= 16384 AND n.nspname NOT LIKE 'pg\\_%'
                AND n.nspname NOT IN ('information_schema', 'atalaya')
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                                 WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i', 'a'))
              ORDER BY 1 LIMIT 100",
            &[],
        )
        .await?;
    let others: Vec<String> = others.iter().map(|row| row.get(0)).collect();
    let mut findings = Vec::new();
    for (what, names) in [("tables", ours), ("other objects", others)] {
        if names.is_empty() {
            continue;
        }
        let seen = format!("the target has {what}: {}", listed(&names, 20));
        findings.push(if facts.options.existing_schema { Finding::info(seen) } else { Finding::fail(seen) });
    }
    Ok(findings.into())
}

async fn schema(facts: &Facts) -> Result<Outcome, Error> {
    if !facts.options.existing_schema {
        return Ok(Outcome::NotApplicable("the schema is restored"));
    }
    let mut findings = Vec::new();
    for relation in facts.moving() {
        match counterpart(facts, relation) {
            Some(theirs) => findings.extend(differences(relation, theirs)),
            None => findings.push(Finding::fail("the target has neither this table nor its root").on(&relation.name)),
        }
    }
    Ok(findings.into())
}

/// The target's table for a source's one: the same name, else the root of its partition tree.
pub(super) fn counterpart<'a>(facts: &'a Facts, relation: &Relation) -> Option<&'a Relation> {
    facts
        .target
        .relation(&relation.name)
        .or_else(|| relation.partition_root.as_ref().and_then(|root| facts.target.relation(root)))
}

fn differences(ours: &Relation, theirs: &Relation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for column in ours.data_columns() {
        match theirs.columns.iter().find(|each| each.name == column.name) {
            None => findings.push(
                Finding::fail(format!("the target has no column `{}`", column.name)).on(&ours.name).remedy(format!(
                    "ALTER TABLE {} ADD COLUMN {} {};",
                    theirs.name.to_sql(),
                    quote_identifier(&column.name),
                    column.declared_type
                )),
            ),
            Some(other) if other.declared_type != column.declared_type => {
                findings.push(
                    Finding::fail(format!(
                        "column `{}` is {} on the source, {} on the target",
                        column.name, column.declared_type, other.declared_type
                    ))
                    .on(&ours.name),
                );
            }
            Some(other) if other.generated != column.generated => {
                findings
                    .push(Finding::fail(format!("column `{}` is generated on the target", column.name)).on(&ours.name));
            }
            Some(_) => {}
        }
    }
    let extra = theirs
        .data_columns()
        .filter(|column| column.not_null && !ours.columns.iter().any(|each| each.name == column.name));
    findings.extend(extra.map(|column| {
        Finding::warn(format!(
            "column `{}` is NOT NULL on the target and unknown to the source: it needs a default",
            column.name
        ))
        .on(&ours.name)
    }));
    findings
}

async fn rows(facts: &Facts) -> Result<Outcome, Error> {
    let present: Vec<&RelationName> = facts
        .moving()
        .filter_map(|relation| facts.target.relation(&relation.name))
        .filter(|relation| relation.holds_rows())
        .map(|relation| &relation.name)
        .collect();
    if present.is_empty() {
        return Ok(Outcome::NotApplicable("the target has none of the tables"));
    }
    let mut findings = Vec::new();
    for name in present.iter().take(EMPTINESS_LOOKS_MAX) {
        let sql = format!("SELECT EXISTS (SELECT FROM ONLY {})", name.to_sql());
        let holds_rows = match facts.target.query_one(&sql, &[]).await {
            Ok(row) => row.get(0),
            Err(Error::Postgres(error)) if error.sqlstate() == Some("42501") => {
                findings
                    .push(Finding::fail("the role may not see whether the table holds rows on the target").on(name));
                false
            }
            Err(error) => return Err(error),
        };
        if holds_rows {
            findings.push(
                Finding::fail("the table holds rows on the target")
                    .on(name)
                    .remedy(format!("TRUNCATE {}; -- on the target", name.to_sql())),
            );
        }
    }
    if present.len() > EMPTINESS_LOOKS_MAX {
        findings.push(Finding::warn(format!("only {EMPTINESS_LOOKS_MAX} of {} tables were looked at", present.len())));
    }
    Ok(findings.into())
}

fn keys(facts: &Facts) -> Outcome {
    if !facts.options.existing_schema {
        return Outcome::NotApplicable("the schema is restored");
    }
    let named =
        |relation: &Relation| -> Vec<String> { relation.key_columns().map(|column| column.name.clone()).collect() };
    let mut findings = Vec::new();
    for relation in facts.moving().filter(|relation| relation.key.is_some()) {
        let Some(theirs) = counterpart(facts, relation) else {
            continue;
        };
        let key = named(relation);
        let (mut ours_sorted, mut theirs_sorted) = (key.clone(), named(theirs));
        ours_sorted.sort_unstable();
        theirs_sorted.sort_unstable();
        if ours_sorted != theirs_sorted {
            let columns: Vec<String> = key.iter().map(|name| quote_identifier(name)).collect();
            findings.push(
                Finding::warn(format!("the target's key is not over {}", listed(&key, 32))).on(&relation.name).remedy(
                    format!(
                        "CREATE UNIQUE INDEX ON {} ({}); -- on the target",
                        theirs.name.to_sql(),
                        columns.join(", ")
                    ),
                ),
            );
        }
    }
    findings.into()
}

async fn load_cost(facts: &Facts) -> Result<Outcome, Error> {
    if !facts.options.existing_schema {
        return Ok(Outcome::NotApplicable("the schema is restored in sections"));
    }
    let oids: Vec<u32> =
        facts.moving().filter_map(|relation| counterpart(facts, relation)).map(|relation| relation.oid).collect();
    let found = facts
        .target
        .query(
            "SELECT n.nspname::text, c.relname::text, f.keys, f.triggers, f.indexes
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               CROSS JOIN LATERAL (SELECT
                    (SELECT count(*) FROM pg_catalog.pg_constraint k
                      WHERE k.conrelid = c.oid AND k.contype = 'f') AS keys,
                    (SELECT count(*) FROM pg_catalog.pg_trigger t
                      WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS triggers,
                    (SELECT count(*) FROM pg_catalog.pg_index x
                      WHERE x.indrelid = c.oid AND NOT x.indisprimary) AS indexes) f
              WHERE c.oid = ANY($1) AND f.keys + f.triggers + f.indexes > 0 ORDER BY 1, 2",
            &[&oids],
        )
        .await?;
    let silent = super::privileges::may_silence_triggers(facts).await?;
    Ok(found
        .iter()
        .map(|row| {
            let (keys, triggers, indexes): (i64, i64, i64) = (row.get(2), row.get(3), row.get(4));
            let seen = format!("{keys} foreign keys, {triggers} triggers, {indexes} secondary indexes");
            let finding = if keys > 0 && !silent {
                Finding::fail(seen + "; the role cannot switch foreign keys off")
            } else {
                Finding::warn(seen)
            };
            finding.on(name_of(row))
        })
        .collect::<Vec<_>>()
        .into())
}
