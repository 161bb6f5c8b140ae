//! Fills the tables: all rows at once where every one is taken, else one by one with those that are refused left out.

use std::collections::BTreeSet;

use atalaya_data::{RelationName, quote_identifier, quote_literal};
use atalaya_postgres::Session;

use super::catalog::{ForeignKey, Table};
use super::column::{Plan, Source, plan_table, salt};
use super::insert::{Moment, between, insert_sql, numbered};
use super::order::{is_optional, order};
use super::values::{Types, random};
use crate::clone::said;
use crate::report::Empty;
use crate::{Error, Options};

/// Rows of one statement.
const ROWS_AT_ONCE: u32 = 10_000;
/// Rows of a table whose rows are inserted one by one.
const ROWS_ONE_BY_ONE_MAX: u32 = 2_000;
/// Tries for each row there.
const TRIES: u32 = 12;
/// Foreign keys in a chain, from one that is mended to the next that is broken by it.
const ROUNDS_MAX: usize = 100;

/// What was filled.
#[derive(Debug, Default)]
pub(crate) struct Filled {
    pub(crate) plans: Vec<Plan>,
    pub(crate) rows: u64,
    pub(crate) empty: Vec<Empty>,
}

/// Fills every table; `told` hears of each that is done.
pub(crate) async fn fill(
    session: &Session,
    tables: Vec<Table>,
    options: &Options,
    told: impl Fn(usize, usize),
) -> Result<Filled, Error> {
    // Neither triggers nor checks of foreign keys: values are taken from parents that are there, and checked below.
    session
        .batch("SET session_replication_role = replica; SET synchronous_commit = off; SET statement_timeout = '10min'")
        .await?;
    let types = Types::read(session).await?;
    let mut filled = Filled::default();
    let mut later = Vec::new();
    let turns = order(&tables);
    for (done, turn) in turns.iter().enumerate() {
        told(done, turns.len());
        let Some(table) = tables.get(turn.table) else { continue };
        let plan = plan_table(session, &types, table.clone(), options.seed).await?;
        if let Some(why) = fill_table(session, &plan, &turn.waiting, options).await? {
            filled.empty.push(Empty { table: table.name.to_string(), why });
        }
        let waiting = table.foreign_keys.iter().filter(|key| turn.waiting.contains(&key.name));
        later.extend(waiting.map(|key| refer_sql(table, key, options.seed)));
        filled.plans.push(plan);
    }
    for sql in later {
        // What else the table demands may refuse it; the keys are NULL then, as the table allows.
        let _refused = session.batch(&sql).await;
    }
    remove_orphans(session, &tables).await?;
    session.batch("SET session_replication_role = origin; SET synchronous_commit = on; ANALYZE").await?;
    for plan in &filled.plans {
        filled.rows += count(session, &plan.table.name).await?;
    }
    Ok(filled)
}

async fn count(session: &Session, table: &RelationName) -> Result<u64, Error> {
    let sql = format!("SELECT pg_catalog.count(*) FROM {}", table.to_sql());
    Ok(u64::try_from(session.query_one(&sql, &[]).await?.get::<_, i64>(0)).unwrap_or_default())
}

/// Fills a table; why it is empty, where it is.
async fn fill_table(
    session: &Session,
    plan: &Plan,
    waiting: &BTreeSet<String>,
    options: &Options,
) -> Result<Option<String>, Error> {
    let unknown = plan.table.columns.iter().zip(&plan.sources).find(|(_, source)| **source == Source::Unknown);
    if let Some((column, _)) = unknown {
        return Ok(Some(format!("no value of the type {} is known for `{}`", column.type_sql, column.name)));
    }
    let Some(template) = insert_sql(plan, Moment::First { waiting }, options.seed) else {
        return Ok(Some("no column can be given a value".to_owned()));
    };
    let mut from = 1;
    let mut refused = None;
    while from <= options.rows && refused.is_none() {
        let to = options.rows.min(from.saturating_add(ROWS_AT_ONCE - 1));
        refused = session.batch(&between(&template, from.into(), to.into())).await.err();
        from = to.saturating_add(1);
    }
    if let Some(error) = refused.take() {
        let rows = options.rows.min(ROWS_ONE_BY_ONE_MAX);
        // Only what cannot be tried at all fails here; then nothing is there, and the first error tells why.
        let tried = session.batch(&one_by_one(&template, rows)).await;
        refused = Some(tried.err().unwrap_or(error));
    }
    if count(session, &plan.table.name).await? > 0 {
        return Ok(None);
    }
    let parent = plan.table.foreign_keys.iter().find(|key| !is_optional(&plan.table, key));
    Ok(Some(match (refused, parent) {
        (Some(error), _) => said(&error),
        (None, Some(key)) => format!("{} has no row to refer to", key.parent),
        (None, None) => "no row was taken".to_owned(),
    }))
}

/// Tries row numbers one by one until there are enough rows.
fn one_by_one(template: &str, rows: u32) -> String {
    let insert = template.replace("{from}", "drill_n").replace("{to}", "drill_n");
    let tries = rows.saturating_mul(TRIES);
    let body = format!(
        "#variable_conflict use_column
         DECLARE drill_rows int := 0;
         BEGIN FOR drill_n IN 1..{tries} LOOP
             BEGIN {insert}; IF FOUND THEN drill_rows := drill_rows + 1; END IF;
             EXCEPTION WHEN OTHERS THEN NULL; END;
             EXIT WHEN drill_rows >= {rows};
         END LOOP; END"
    );
    format!("DO {}", quote_literal(&body))
}

/// Points two of three rows at parents that were not there when the rows were made.
fn refer_sql(table: &Table, key: &ForeignKey, seed: u64) -> String {
    let name = table.name.to_sql();
    let dice = random(salt(&table.name, &key.name, seed));
    let columns: Vec<String> = key.columns.iter().map(|column| quote_identifier(column)).collect();
    let values: Vec<String> = (0..columns.len()).map(|at| format!("f.r{at}")).collect();
    format!(
        "WITH f AS MATERIALIZED ({}),
              s AS MATERIALIZED (SELECT tableoid AS o, ctid AS c, pg_catalog.row_number() OVER () AS n FROM {name})
         UPDATE {name} AS t SET ({}) = ROW({}) FROM s JOIN f ON f.k = {dice} % (SELECT GREATEST(pg_catalog.count(*), 1) FROM f)
          WHERE t.tableoid = s.o AND t.ctid = s.c AND s.n % 3 > 0",
        numbered(key),
        columns.join(", "),
        values.join(", ")
    )
}

/// Removes rows whose parents are not there: keys that share columns cannot always all be met.
async fn remove_orphans(session: &Session, tables: &[Table]) -> Result<(), Error> {
    for _ in 0..ROUNDS_MAX {
        let mut removed = 0;
        for table in tables {
            for key in &table.foreign_keys {
                let pairs = || {
                    key.columns
                        .iter()
                        .zip(&key.parent_columns)
                        .map(|(own, referred)| (quote_identifier(own), quote_identifier(referred)))
                };
                let present: Vec<String> = pairs().map(|(own, _)| format!("c.{own} IS NOT NULL")).collect();
                let met: Vec<String> = pairs().map(|(own, referred)| format!("p.{referred} = c.{own}")).collect();
                let sql = format!(
                    "DELETE FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})",
                    table.name.to_sql(),
                    present.join(" AND "),
                    key.parent.to_sql(),
                    met.join(" AND ")
                );
                removed += session.execute(&sql, &[]).await?;
            }
        }
        if removed == 0 {
            break;
        }
    }
    Ok(())
}
