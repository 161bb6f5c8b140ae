//! Which tables move, and what of them does not move as one expects.

use std::collections::BTreeMap;

use atalaya_catalog::{Generated, Relation, RelationKind};
use atalaya_data::RelationName;

use crate::{Check, Error, Facts, Finding, LargeObjects, Outcome, Severity};

use super::support::{by_table, bytes, listed, name_of, ready};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "tables-selected",
        title: "the patterns select tables",
        severity: Severity::Fail,
        why: "a pattern that matches nothing is a slip of the pen, and a move of nothing proves nothing",
        remedy: "check the patterns against the tables' names",
        run: |facts| ready(selected(facts)),
    },
    Check {
        id: "inheritance-trees",
        title: "inheritance trees move as a whole",
        severity: Severity::Fail,
        why: "a table cannot be restored without the table it inherits from; partitions always move with their root",
        remedy: "select or exclude the parent together with all of its heirs",
        run: |facts| Box::pin(trees(facts)),
    },
    Check {
        id: "unlogged-tables",
        title: "no unlogged table is selected",
        severity: Severity::Fail,
        why: "changes of unlogged tables are not in the log: rows written during the move would be lost",
        remedy: "make the table logged, or exclude it",
        run: |facts| ready(unlogged(facts)),
    },
    Check {
        id: "foreign-tables",
        title: "no foreign table is selected",
        severity: Severity::Warn,
        why: "a foreign table's rows are elsewhere and stay there; the target must reach that server itself",
        remedy: "check that the target can reach the foreign server",
        run: |facts| ready(foreign(facts)),
    },
    Check {
        id: "columnless-tables",
        title: "every table has a column that is stored",
        severity: Severity::Fail,
        why: "rows without a value of their own cannot be told apart or found again, so their changes could not be followed",
        remedy: "exclude the table, or give it a column",
        run: |facts| ready(columnless(facts)),
    },
    Check {
        id: "generated-columns",
        title: "generated columns come out the same on the target",
        severity: Severity::Warn,
        why: "the target computes them anew; an expression over functions that are not built in may give something else there",
        remedy: "compare them after the move (`atalaya validate` does)",
        run: |facts| Box::pin(generated(facts)),
    },
    Check {
        id: "large-objects",
        title: "there are no large objects",
        severity: Severity::Fail,
        why: "large objects are not in the change stream: neither a copy nor the changes would be complete",
        remedy: "bring them over once with `--copy-large-objects`, where nothing changes them any more; move them to bytea columns; or leave them behind with `--exclude-large-objects`",
        run: |facts| Box::pin(large_objects(facts)),
    },
    Check {
        id: "large-object-columns",
        title: "no column refers to large objects",
        severity: Severity::Warn,
        why: "oid and lo columns arrive, the large objects they point to do not",
        remedy: "move the contents to a bytea column",
        run: |facts| ready(large_object_columns(facts)),
    },
    Check {
        id: "similar-names",
        title: "no two tables or columns differ only by case",
        severity: Severity::Warn,
        why: "tools that fold case take one for the other; here they stay apart",
        remedy: "rename one of them",
        run: |facts| ready(similar_names(facts)),
    },
    Check {
        id: "column-types",
        title: "columns hold values that mean the same on another server",
        severity: Severity::Warn,
        why: "reg* values, transaction ids and log positions point into the server they were made on; a base type of one's own needs its library on the target",
        remedy: "check what the values are for; store names in place of OIDs",
        run: |facts| Box::pin(column_types(facts)),
    },
    Check {
        id: "postgis",
        title: "there are no PostGIS columns",
        severity: Severity::Warn,
        why: "geometry and raster values are read by the target's PostGIS, which must be of the same or a later version",
        remedy: "install the same PostGIS version on the target, and upgrade it after the move",
        run: |facts| ready(postgis(facts)),
    },
    Check {
        id: "materialized-views",
        title: "materialized views are filled on the target",
        severity: Severity::Warn,
        why: "their rows are not moved; a refresh on the target makes them",
        remedy: "refresh them on the target after the move",
        run: |facts| Box::pin(materialized_views(facts)),
    },
];

fn selected(facts: &Facts) -> Outcome {
    let count = facts.moving().count();
    if count == 0 {
        return vec![Finding::fail("no table is selected")].into();
    }
    let total = facts.moving().fold(0_u64, |sum, relation| sum.saturating_add(relation.bytes));
    let left_out: Vec<String> = facts
        .source
        .relations
        .iter()
        .filter(|relation| !facts.is_selected(relation.oid) && relation.extension.is_none())
        .map(|relation| relation.name.to_string())
        .collect();
    let mut findings =
        vec![Finding::info(format!("{count} tables with {}", bytes(i64::try_from(total).unwrap_or(i64::MAX))))];
    if !left_out.is_empty() {
        findings.push(Finding::info(format!("left out: {}", listed(&left_out, 20))));
    }
    findings.into()
}

async fn trees(facts: &Facts) -> Result<Outcome, Error> {
    let heirs = facts
        .source
        .query(
            "SELECT n.nspname::text, c.relname::text, pn.nspname::text, p.relname::text
               FROM pg_catalog.pg_inherits i
               JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
               JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
              WHERE c.oid = ANY($1) AND NOT p.oid = ANY($1) ORDER BY 1, 2",
            &[&facts.selected_oids()],
        )
        .await?;
    let findings: Vec<Finding> = heirs
        .iter()
        .map(|row| {
            let parent = RelationName::new(row.get::<_, String>(2), row.get::<_, String>(3));
            Finding::fail(format!("inherits from `{parent}`, which is not selected")).on(name_of(row))
        })
        .collect();
    Ok(findings.into())
}

fn of_kind(facts: &Facts, kind: RelationKind) -> impl Iterator<Item = &Relation> {
    facts.selected().filter(move |relation| relation.kind == kind)
}

fn unlogged(facts: &Facts) -> Outcome {
    of_kind(facts, RelationKind::Unlogged)
        .map(|relation| {
            Finding::fail("unlogged").on(&relation.name).remedy(format!(
                "ALTER TABLE {} SET LOGGED; -- rewrites the table under an exclusive lock",
                relation.name.to_sql()
            ))
        })
        .collect::<Vec<_>>()
        .into()
}

fn foreign(facts: &Facts) -> Outcome {
    of_kind(facts, RelationKind::Foreign)
        .map(|relation| {
            let finding = Finding::warn(if relation.partition_root.is_some() {
                "a foreign table as a partition: its rows are not moved"
            } else {
                "a foreign table: its rows are not moved"
            });
            finding.on(&relation.name)
        })
        .collect::<Vec<_>>()
        .into()
}

fn columnless(facts: &Facts) -> Outcome {
    facts
        .moving()
        .filter(|relation| relation.data_columns().next().is_none())
        .map(|relation| {
            Finding::fail("no column, or only generated ones").on(&relation.name).remedy(format!(
                "--exclude '{}', or: ALTER TABLE {} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;",
                relation.name,
                relation.name.to_sql()
            ))
        })
        .collect::<Vec<_>>()
        .into()
}

async fn generated(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT DISTINCT n.nspname::text, c.relname::text, a.attname || ' calls ' || p.proname
               FROM pg_catalog.pg_attribute a
               JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
               JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_proc'::regclass
                    -- Before 15 the column itself depends on the function, later its default does.
                    AND (d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
                         OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = a.attrelid
                         AND d.objsubid = a.attnum)
               JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
              WHERE a.attrelid = ANY($1) AND a.attgenerated <> '' AND p.oid >= 16384
              ORDER BY 1, 2, 3",
            &[&facts.selected_oids()],
        )
        .await?;
    let mut findings =
        by_table(&rows, |_, columns| Finding::warn(format!("computed by functions that are not built in: {columns}")));
    findings.extend(facts.selected().filter_map(|relation| {
        let columns: Vec<String> = relation
            .columns
            .iter()
            .filter(|column| column.generated != Generated::No)
            .map(|column| column.name.clone())
            .collect();
        (!columns.is_empty())
            .then(|| Finding::info(format!("computed anew on the target: {}", listed(&columns, 10))).on(&relation.name))
    }));
    Ok(findings.into())
}

async fn large_objects(facts: &Facts) -> Result<Outcome, Error> {
    let count: i64 =
        facts.source.query_one("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata", &[]).await?.get(0);
    if count == 0 {
        return Ok(Vec::new().into());
    }
    let seen = format!("{count} large objects");
    let finding = match facts.options.large_objects {
        LargeObjects::Left => Finding::info(format!("{seen}, left behind on purpose")),
        LargeObjects::Refused => Finding::fail(seen),
        LargeObjects::Copied => match unreadable_large_objects(facts).await? {
            0 => Finding::info(format!("{seen}, brought over once; one that changes later makes the end refuse")),
            unreadable => Finding::fail(format!("{seen}, {unreadable} of which the role may not read")),
        },
    };
    Ok(vec![finding].into())
}

async fn unreadable_large_objects(facts: &Facts) -> Result<i64, Error> {
    let row = facts
        .source
        .query_one(
            "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata m
              WHERE NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
                AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
                AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
                                   AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

fn large_object_columns(facts: &Facts) -> Outcome {
    facts
        .moving()
        .filter_map(|relation| {
            let columns: Vec<String> = relation
                .columns
                .iter()
                .filter(|column| column.type_sql == "oid" || column.type_sql.rsplit('.').next() == Some("lo"))
                .map(|column| format!("{} {}", column.name, column.type_sql))
                .collect();
            (!columns.is_empty()).then(|| {
                Finding::warn(format!("may refer to large objects: {}", columns.join(", "))).on(&relation.name)
            })
        })
        .collect::<Vec<_>>()
        .into()
}

fn similar_names(facts: &Facts) -> Outcome {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut findings = Vec::new();
    for relation in facts.selected() {
        tables.entry(relation.name.to_sql().to_lowercase()).or_default().push(relation.name.to_string());
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for column in &relation.columns {
            columns.entry(column.name.to_lowercase()).or_default().push(column.name.clone());
        }
        findings.extend(columns.into_values().filter(|names| names.len() > 1).map(|names| {
            Finding::warn(format!("columns that differ only by case: {}", listed(&names, 10))).on(&relation.name)
        }));
    }
    findings.extend(
        tables
            .into_values()
            .filter(|names| names.len() > 1)
            .map(|names| Finding::warn(format!("tables that differ only by case: {}", listed(&names, 10)))),
    );
    findings.into()
}

/// Built-in types whose values point into the server they were made on.
const SERVER_LOCAL: &str = "'regproc', 'regprocedure', 'regoper', 'regoperator', 'regclass', 'regtype', 'regrole',
    'regnamespace', 'regcollation', 'regconfig', 'regdictionary', 'regdatabase', 'xid', 'xid8', 'cid', 'tid',
    'pg_lsn', 'pg_snapshot', 'txid_snapshot', 'aclitem', 'refcursor'";

async fn column_types(facts: &Facts) -> Result<Outcome, Error> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, a.attname || ' ' || pg_catalog.format_type(t.oid, NULL),
                t.oid < 16384
           FROM pg_catalog.pg_attribute a
           JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_type o ON o.oid = a.atttypid
           JOIN pg_catalog.pg_type t ON t.oid = CASE WHEN o.typcategory = 'A' AND o.typelem <> 0 THEN o.typelem
                ELSE o.oid END
          WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
            AND (t.oid < 16384 AND t.typname IN ({SERVER_LOCAL})
                 OR t.oid >= 16384 AND t.typtype = 'b' AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::regclass
                       AND d.objid = t.oid AND d.deptype = 'e'))
          ORDER BY 1, 2, a.attnum"
    );
    let rows = facts.source.query(&sql, &[&facts.selected_oids()]).await?;
    let findings: Vec<Finding> = rows
        .iter()
        .map(|row| {
            let (column, built_in): (String, bool) = (row.get(2), row.get(3));
            Finding::warn(if built_in {
                format!("{column}: its values point into the server they were made on")
            } else {
                format!("{column}: a base type that no extension brings; its library must be on the target")
            })
            .on(name_of(row))
        })
        .collect();
    Ok(findings.into())
}

fn postgis(facts: &Facts) -> Outcome {
    const TYPES: [&str; 5] = ["geometry", "geography", "raster", "topogeometry", "box3d"];
    facts
        .moving()
        .filter_map(|relation| {
            let columns: Vec<String> = relation
                .columns
                .iter()
                .filter(|column| {
                    let bare = column.type_sql.rsplit('.').next().unwrap_or_default();
                    column.user_defined && TYPES.contains(&bare.trim_end_matches("[]"))
                })
                .map(|column| column.name.clone())
                .collect();
            (!columns.is_empty())
                .then(|| Finding::warn(format!("PostGIS columns: {}", listed(&columns, 10))).on(&relation.name))
        })
        .collect::<Vec<_>>()
        .into()
}

async fn materialized_views(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT n.nspname::text, c.relname::text
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind = 'm' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let name = name_of(row);
            Finding::warn("its rows are made by a refresh on the target")
                .on(&name)
                .remedy(format!("REFRESH MATERIALIZED VIEW {};", name.to_sql()))
        })
        .collect::<Vec<_>>()
        .into())
}
