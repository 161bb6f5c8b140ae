//! Enum labels: a row with one that the target does not know cannot be written there.
//!
//! A new label is a commit of its own, since no transaction may use one that it has made itself; made before its first
//! row comes, it is in nobody's way. A label is never renamed or removed here: rows that have it would change.

use std::collections::BTreeMap;

use atalaya_data::{RelationName, quote_literal};
use atalaya_postgres::Session;

use crate::Error;

/// Labels of enum types in their order, by the types' names.
type Labels = BTreeMap<RelationName, Vec<String>>;

/// What became of the target's enums.
#[derive(Debug, Default)]
pub(crate) struct EnumsFollowed {
    /// Labels that were made, as `type: label`.
    pub(crate) made: Vec<String>,
    /// Types with a label that the source's has no more.
    pub(crate) differing: Vec<RelationName>,
}

/// Something that differs whenever enum labels do.
pub(crate) async fn enum_signature(source: &Session) -> Result<String, Error> {
    let row = source
        .query_one(
            "SELECT coalesce(pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(oid, ' ', enumsortorder, ' ',
                        enumlabel), ',' ORDER BY oid)), '') FROM pg_catalog.pg_enum",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

/// Makes the labels that the source's enums have and the target's have not, each at its place. Only types that rows
/// of these tables of the source can hold, within arrays, domains, ranges and composites, too.
pub(crate) async fn follow_enums(
    source: &Session,
    target: &Session,
    tables: &[RelationName],
) -> Result<EnumsFollowed, Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).unzip();
    let used = source
        .query(
            "WITH RECURSIVE reached(class, id) AS (
                 SELECT 'pg_catalog.pg_class'::regclass::oid, c.oid
                   FROM unnest($1::text[], $2::text[]) AS t(schema, name)
                   JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
                   JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
                  UNION
                 SELECT d.refclassid, d.refobjid FROM reached r
                   JOIN pg_catalog.pg_depend d ON d.classid = r.class AND d.objid = r.id
                   LEFT JOIN pg_catalog.pg_class c ON d.refclassid = 'pg_catalog.pg_class'::regclass
                         AND c.oid = d.refobjid
                  WHERE d.refclassid = 'pg_catalog.pg_type'::regclass OR c.relkind = 'c')
             SELECT n.nspname::text, t.typname::text, pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
               FROM reached r
               JOIN pg_catalog.pg_type t ON r.class = 'pg_catalog.pg_type'::regclass AND t.oid = r.id
               JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
               JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
              GROUP BY 1, 2",
            &[&schemas, &names],
        )
        .await?;
    let used = labels_of(&used);
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        used.keys().map(|name| (name.schema.as_str(), name.name.as_str())).unzip();
    let there = target
        .query(
            "SELECT n.nspname::text, t.typname::text, pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
               FROM unnest($1::text[], $2::text[]) AS w(schema, name)
               JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
               JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = w.name
               JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
              GROUP BY 1, 2",
            &[&schemas, &names],
        )
        .await?;
    let there = labels_of(&there);
    let mut followed = EnumsFollowed::default();
    for (name, wanted) in &used {
        // A type that the target does not have is the matter of the table that uses it.
        let Some(has) = there.get(name).filter(|has| *has != wanted) else { continue };
        let Some(statements) = additions(&name.to_sql(), has, wanted) else {
            followed.differing.push(name.clone());
            continue;
        };
        for (label, sql) in statements {
            target.batch(&sql).await?;
            followed.made.push(format!("{name}: {label}"));
        }
    }
    Ok(followed)
}

fn labels_of(rows: &[atalaya_postgres::Row]) -> Labels {
    rows.iter().map(|row| (RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)), row.get(2))).collect()
}

/// Statements that make the labels that are missing; none where a label is there that is not wanted, or the order is
/// another one.
fn additions<'a>(type_sql: &str, has: &[String], wanted: &'a [String]) -> Option<Vec<(&'a str, String)>> {
    let kept: Vec<&String> = wanted.iter().filter(|label| has.contains(label)).collect();
    if kept.len() != has.len() || kept.into_iter().ne(has.iter()) {
        return None;
    }
    let mut statements = Vec::new();
    let mut before: Option<&String> = None;
    for label in wanted {
        if !has.contains(label) {
            let place = match (before, has.first()) {
                (Some(before), _) => format!(" AFTER {}", quote_literal(before)),
                (None, Some(first)) => format!(" BEFORE {}", quote_literal(first)),
                (None, None) => String::new(),
            };
            let sql = format!("ALTER TYPE {type_sql} ADD VALUE IF NOT EXISTS {}{place}", quote_literal(label));
            statements.push((label.as_str(), sql));
        }
        before = Some(label);
    }
    Some(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    fn sql(has: &[&str], wanted: &[&str]) -> Option<Vec<String>> {
        let wanted = list(wanted);
        additions("t", &list(has), &wanted).map(|made| made.into_iter().map(|(_, sql)| sql).collect())
    }

    #[test]
    fn labels_are_made_at_their_places() {
        let made = sql(&["b", "d"], &["a", "a2", "b", "c'", "d", "e"]).unwrap();
        let places: Vec<&str> =
            made.iter().filter_map(|sql| sql.strip_prefix("ALTER TYPE t ADD VALUE IF NOT EXISTS ")).collect();
        assert_eq!(places, ["'a' BEFORE 'b'", "'a2' AFTER 'a'", "'c''' AFTER 'b'", "'e' AFTER 'd'"]);
    }

    #[test]
    fn a_label_that_went_and_another_order_are_not_followed() {
        assert_eq!(sql(&["a", "b"], &["a", "c"]), None);
        assert_eq!(sql(&["a", "b"], &["b", "a", "c"]), None);
        assert_eq!(sql(&["a"], &["a"]), Some(Vec::new()));
    }
}
