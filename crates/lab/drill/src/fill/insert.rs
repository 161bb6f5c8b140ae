//! Statements that insert made-up rows whose foreign keys are taken from parents that are there.

use std::collections::{BTreeMap, BTreeSet};

use atalaya_data::quote_identifier;

use super::catalog::ForeignKey;
use super::column::{Plan, salt};
use super::values::{random, row_number};

/// Parents that a table's rows choose from.
const PARENTS_MAX: u32 = 10_000;
/// Parents that are looked at where a key shares a column with another one.
const SHARED_MAX: u32 = 50;

/// When rows are inserted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment<'a> {
    /// The table is empty. These keys are NULL at first; others that refer to the table itself refer to their own row.
    First { waiting: &'a BTreeSet<String> },
    /// Every table is filled.
    Later,
}

/// A statement for a range of row numbers.
pub(crate) fn between(template: &str, from: i64, to: i64) -> String {
    template.replace("{from}", &from.to_string()).replace("{to}", &to.to_string())
}

/// An INSERT for row numbers `{from}` to `{to}`; none for a table in which no column can be given a value.
pub(crate) fn insert_sql(plan: &Plan, moment: Moment<'_>, seed: u64) -> Option<String> {
    let table = &plan.table;
    let (values, joins) = Keys::of(plan, moment, seed).finish(plan);
    if values.is_empty() {
        return None;
    }
    let with = if joins.with.is_empty() { String::new() } else { format!("WITH {} ", joins.with.join(", ")) };
    let columns: Vec<String> = values.keys().map(|column| quote_identifier(column)).collect();
    let values: Vec<String> = values.into_values().collect();
    Some(format!(
        "{with}INSERT INTO {} ({}) SELECT {} FROM (SELECT g AS n FROM pg_catalog.generate_series({{from}}::int8, {{to}}::int8) g) s{}{}",
        table.name.to_sql(),
        columns.join(", "),
        values.join(", "),
        joins.from,
        if table.is_deferrable { "" } else { " ON CONFLICT DO NOTHING" }
    ))
}

/// What the parents' side adds to a statement.
#[derive(Default)]
struct Joins {
    with: Vec<String>,
    from: String,
}

/// The values of columns in foreign keys.
struct Keys {
    values: BTreeMap<String, String>,
    joins: Joins,
}

impl Keys {
    fn of(plan: &Plan, moment: Moment<'_>, seed: u64) -> Self {
        let mut found = Self { values: BTreeMap::new(), joins: Joins::default() };
        let mut keys: Vec<&ForeignKey> = plan.table.foreign_keys.iter().collect();
        // The longest first: it often says what the others must hold.
        keys.sort_by_key(|key| std::cmp::Reverse(key.columns.len()));
        for (number, key) in keys.into_iter().enumerate() {
            let is_set = key.columns.iter().all(|column| found.values.contains_key(column));
            if !is_set && key.columns.iter().all(|column| plan.expression(column).is_some()) {
                found.add(plan, moment, number, key, salt(&plan.table.name, &key.name, seed));
            }
        }
        found
    }

    fn add(&mut self, plan: &Plan, moment: Moment<'_>, number: usize, key: &ForeignKey, salt: i64) {
        if let Moment::First { waiting } = moment {
            if waiting.contains(&key.name) {
                let free = key.columns.iter().filter(|column| !self.values.contains_key(*column));
                let nulls: Vec<_> = free.map(|column| (column.clone(), "NULL".to_owned())).collect();
                let optional =
                    |column: &str| plan.table.columns.iter().any(|own| own.name == column && !own.is_not_null);
                self.values.extend(nulls.into_iter().filter(|(column, _)| optional(column)));
                return;
            }
            if key.parent == plan.table.name {
                for (own, referred) in key.columns.iter().zip(&key.parent_columns) {
                    if let Some(expression) = plan.expression(referred) {
                        self.values.insert(own.clone(), expression.to_owned());
                    }
                }
                return;
            }
        }
        if key.columns.iter().any(|column| self.values.contains_key(column)) {
            let join = sharing(number, key, salt, &self.values);
            self.joins.from.push_str(&join);
        } else {
            self.joins.with.push(format!("f{number} AS MATERIALIZED ({})", numbered(key)));
            let choice = if key.is_unique { row_number() } else { random(salt) };
            self.joins.from.push_str(&format!(
                " LEFT JOIN f{number} ON f{number}.k = {choice} % (SELECT GREATEST(pg_catalog.count(*), 1) FROM f{number})"
            ));
        }
        for (at, column) in key.columns.iter().enumerate() {
            self.values.entry(column.clone()).or_insert_with(|| format!("f{number}.r{at}"));
        }
    }

    fn finish(mut self, plan: &Plan) -> (BTreeMap<String, String>, Joins) {
        for column in &plan.table.columns {
            if let Some(expression) = plan.expression(&column.name) {
                self.values.entry(column.name.clone()).or_insert_with(|| expression.to_owned());
            }
        }
        (self.values, self.joins)
    }
}

/// A parent's keys with numbers from 0 on.
pub(super) fn numbered(key: &ForeignKey) -> String {
    let (columns, present) = columns_of(key);
    format!(
        "SELECT pg_catalog.row_number() OVER () - 1 AS k, p.* FROM \
         (SELECT {columns} FROM {} p WHERE {present} ORDER BY 1 LIMIT {PARENTS_MAX}) p",
        key.parent.to_sql()
    )
}

/// One of the parents that hold what other keys have set already.
fn sharing(number: usize, key: &ForeignKey, salt: i64, set: &BTreeMap<String, String>) -> String {
    let (columns, present) = columns_of(key);
    let pairs = key.columns.iter().zip(&key.parent_columns);
    let shared: Vec<String> = pairs
        .filter_map(|(own, referred)| set.get(own).map(|value| format!("p.{} = {value}", quote_identifier(referred))))
        .collect();
    let (parent, shared, dice) = (key.parent.to_sql(), shared.join(" AND "), random(salt));
    format!(
        " LEFT JOIN LATERAL (SELECT {columns} FROM {parent} p WHERE {present} AND {shared} ORDER BY 1 OFFSET {dice} % GREATEST(1, \
         (SELECT pg_catalog.count(*) FROM (SELECT FROM {parent} p WHERE {present} AND {shared} LIMIT {SHARED_MAX}) c)) LIMIT 1) \
         f{number} ON true"
    )
}

/// The parent's columns as `r0`, `r1` and so on, and the condition that none is NULL.
fn columns_of(key: &ForeignKey) -> (String, String) {
    let names: Vec<String> =
        key.parent_columns.iter().map(|column| format!("p.{}", quote_identifier(column))).collect();
    let columns: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("{name} AS r{at}")).collect();
    let present: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    (columns.join(", "), present.join(" AND "))
}
