//! Both sides as psql sees them: each table's number of rows and the sum of their hashes, by no code of the program's.

use std::collections::BTreeMap;

use atalaya_data::RelationName;
use atalaya_estate::TablePatterns;

use crate::Error;
use crate::report::Comparison;
use crate::stage::{Side, Stage};

/// One form of every value on both sides, whatever their defaults.
const SETTINGS: &str =
    "SET search_path = ''; SET statement_timeout = 0; SET extra_float_digits = 3; SET TimeZone = 'UTC';
    SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET lc_monetary = 'C';
    SET row_security = off;";
/// Partitions each for themselves; those of extensions are not the user's. As JSON: a name may hold a line's end.
const TABLES: &str = "SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname)), '[]')
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'p'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'atalaya') AND n.nspname !~ '^pg_'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND d.objid = c.oid AND d.deptype = 'e')";
/// A partition moves with its root, so the root's name decides.
const ROOT: &str = "SELECT json_build_array(n.nspname, c.relname) FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = coalesce(pg_catalog.pg_partition_root(:table), :table)";

type Digests = BTreeMap<RelationName, (u64, String)>;

/// Compares every table that has moved.
pub(crate) async fn compare(stage: &Stage, tables: &TablePatterns) -> Result<Comparison, Error> {
    let source = digests(&stage.source, tables).await?;
    let target = digests(&stage.target, tables).await?;
    let names: std::collections::BTreeSet<&RelationName> = source.keys().chain(target.keys()).collect();
    let different = names.iter().filter(|name| source.get(*name) != target.get(*name));
    Ok(Comparison {
        tables: u64::try_from(names.len()).unwrap_or(u64::MAX),
        rows: source.values().map(|(rows, _)| rows).sum(),
        different: different.map(ToString::to_string).collect(),
    })
}

async fn digests(side: &Side, patterns: &TablePatterns) -> Result<Digests, Error> {
    let mut digests = BTreeMap::new();
    for table in names(&last_line(&side.psql(format!("{SETTINGS} {TABLES}")).await?)) {
        let sql_name = table.to_sql();
        let literal = format!("{}::pg_catalog.regclass", atalaya_data::quote_literal(&sql_name));
        let root = side.psql(format!("{SETTINGS} {}", ROOT.replace(":table", &literal))).await?;
        let moves = names(&format!("[{}]", last_line(&root))).first().is_some_and(|root| patterns.matches(root));
        if !moves {
            continue;
        }
        let sql = format!(
            "{SETTINGS} SELECT count(*) || ' ' || coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::int8), 0) FROM ONLY {sql_name} t"
        );
        let answer = last_line(&side.psql(sql).await?);
        let (rows, sum) = answer.split_once(' ').unwrap_or_default();
        digests.insert(table, (rows.parse().unwrap_or_default(), sum.to_owned()));
    }
    Ok(digests)
}

fn last_line(answer: &str) -> String {
    answer.lines().last().unwrap_or_default().to_owned()
}

fn names(json: &str) -> Vec<RelationName> {
    let pairs: Vec<(String, String)> = serde_json::from_str(json).unwrap_or_default();
    pairs.into_iter().map(|(schema, name)| RelationName::new(schema, name)).collect()
}
