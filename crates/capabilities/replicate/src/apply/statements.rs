//! The SQL of apply: one statement for any number of rows, values as arrays of text.
//!
//! Every value is cast from text by the target's own input function, so that copy, changes and repair read
//! values one way.

use atalaya_data::quote_identifier;

use super::TargetTable;
use super::table::TargetColumn;

/// `INSERT` of whole rows; one array a column.
pub(crate) fn insert(table: &TargetTable) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quote_identifier(&column.name)).collect();
    let casts: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| format!("s.c{position}::{}", column.type_sql))
        .collect();
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}",
        table.name.to_sql(),
        names.join(", "),
        casts.join(", "),
        rows(0..table.columns.len(), "s")
    )
}

/// `COPY` of whole rows.
pub(crate) fn copy(table: &TargetTable) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quote_identifier(&column.name)).collect();
    format!("COPY {} ({}) FROM STDIN", table.name.to_sql(), names.join(", "))
}

/// `UPDATE` of the columns `set` of rows known by their identity; arrays of the identity, then of `set`.
pub(crate) fn update(table: &TargetTable, set: &[usize]) -> String {
    let value = |_: usize, position: usize, column: &TargetColumn| format!("s.c{position}::{}", column.type_sql);
    let (assignments, kept) = assignments(table, set, value);
    let matches: Vec<String> = std::iter::once(identity_matches(table)).chain(kept).collect();
    format!(
        "UPDATE {} AS t SET {} FROM {} WHERE {}",
        table.rows_sql(),
        assignments.join(", "),
        rows(table.identity.iter().copied().chain(set.iter().copied()), "s"),
        matches.join(" AND ")
    )
}

/// `UPDATE` of one row that may change its identity: parameters are the old identity, then the values of `set`.
pub(crate) fn move_one(table: &TargetTable, set: &[usize]) -> String {
    let first_new = table.identity.len() + 1;
    let value = |offset: usize, _: usize, column: &TargetColumn| {
        format!("(${}::text)::{}", first_new + offset, column.type_sql)
    };
    let (assignments, kept) = assignments(table, set, value);
    let matches: Vec<String> = table
        .identity
        .iter()
        .enumerate()
        .filter_map(|(offset, position)| table.columns.get(*position).map(|column| (offset + 1, column)))
        .map(|(number, column)| {
            format!("t.{} {} (${number}::text)::{}", quote_identifier(&column.name), column.equality, column.type_sql)
        })
        .chain(kept)
        .collect();
    format!("UPDATE {} AS t SET {} WHERE {}", table.rows_sql(), assignments.join(", "), matches.join(" AND "))
}

/// Assignments, and conditions in their place for GENERATED ALWAYS AS IDENTITY columns: the server lets nobody
/// write these, so the row must hold the value already, or no row is found and that is a conflict.
fn assignments(
    table: &TargetTable,
    set: &[usize],
    value: impl Fn(usize, usize, &TargetColumn) -> String,
) -> (Vec<String>, Vec<String>) {
    let mut assignments = Vec::new();
    let mut kept = Vec::new();
    for (offset, position) in set.iter().enumerate() {
        let Some(column) = table.columns.get(*position) else { continue };
        let name = quote_identifier(&column.name);
        let value = value(offset, *position, column);
        if column.identity_always {
            kept.push(format!("t.{name} = {value}"));
        } else {
            assignments.push(format!("{name} = {value}"));
        }
    }
    // Nothing but such a column travelled: the row is only looked at.
    if assignments.is_empty() {
        let identity = table.identity.iter().filter_map(|position| table.columns.get(*position));
        let still = identity.min_by_key(|column| column.identity_always);
        assignments.extend(still.map(|column| quote_identifier(&column.name)).map(|name| format!("{name} = t.{name}")));
    }
    (assignments, kept)
}

/// `DELETE` of rows known by their identity; arrays of the identity.
pub(crate) fn delete(table: &TargetTable) -> String {
    format!(
        "DELETE FROM {} AS t USING {} WHERE {}",
        table.rows_sql(),
        rows(table.identity.iter().copied(), "s"),
        identity_matches(table)
    )
}

/// `DELETE` of so many copies of each whole row: one array a column, then one of counts, then one of row numbers.
///
/// Values are compared by the text that the output function gives (`concat` calls it, a cast to text does
/// not for every type), so that `1.0` is not taken for `1.00`. `located` rows have a value in the locator's column.
pub(crate) fn delete_copies(table: &TargetTable, located: bool) -> String {
    let count = table.columns.len();
    let arrays: Vec<String> = (1..=count).map(|number| format!("${number}::text[]")).collect();
    let names: Vec<String> = (0..count).map(|position| format!("c{position}")).collect();
    let mut matches: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| {
            let name = quote_identifier(&column.name);
            format!(
                "pg_catalog.concat(t.{name}) COLLATE \"C\" = pg_catalog.concat(w.c{position}) COLLATE \"C\" \
                 AND pg_catalog.num_nulls(t.{name}) = pg_catalog.num_nulls(w.c{position})"
            )
        })
        .collect();
    let locator = table.locator.filter(|_| located);
    if let Some((position, column)) = locator.and_then(|position| Some((position, table.columns.get(position)?))) {
        matches.push(format!("t.{} = w.c{position}::{}", quote_identifier(&column.name), column.type_sql));
    }
    let target = table.rows_sql();
    format!(
        "WITH w AS (SELECT * FROM unnest({arrays}, ${copies}::int8[], ${number}::int8[]) \
                      AS w({names}, copies, number)), \
              f AS (SELECT t.tableoid AS o, t.ctid AS c, w.copies, \
                           pg_catalog.row_number() OVER (PARTITION BY w.number) AS nth \
                      FROM {target} AS t JOIN w ON {matches}) \
         DELETE FROM {target} AS t USING f WHERE t.ctid = f.c AND t.tableoid = f.o AND f.nth <= f.copies",
        arrays = arrays.join(", "),
        copies = count + 1,
        number = count + 2,
        names = names.join(", "),
        matches = matches.join(" AND "),
    )
}

fn rows(positions: impl IntoIterator<Item = usize>, alias: &str) -> String {
    let positions: Vec<usize> = positions.into_iter().collect();
    let arrays: Vec<String> = (1..=positions.len()).map(|number| format!("${number}::text[]")).collect();
    let names: Vec<String> = positions.iter().map(|position| format!("c{position}")).collect();
    format!("unnest({}) AS {alias}({})", arrays.join(", "), names.join(", "))
}

pub(super) fn identity_matches(table: &TargetTable) -> String {
    let matches: Vec<String> = table
        .identity
        .iter()
        .filter_map(|position| table.columns.get(*position).map(|column| (position, column)))
        .map(|(position, column)| {
            format!("t.{} {} s.c{position}::{}", quote_identifier(&column.name), column.equality, column.type_sql)
        })
        .collect();
    matches.join(" AND ")
}
