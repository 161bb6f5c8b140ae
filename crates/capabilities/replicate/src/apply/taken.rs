//! Unique values that somebody else's row holds: which row that is, and the source's row in its place.

use atalaya_data::quote_identifier;
use atalaya_pgwire::pgoutput::{Tuple, Value};
use atalaya_postgres::{Session, ToSql};
use bytes::Bytes;

use super::TargetTable;
use super::look::{newer_sql, row_sql};
use super::value::{TextValue, output_sql, text_of};
use crate::Error;
use crate::conflict::{Policy, Values};

/// A unique index over plain columns.
pub(super) struct Unique {
    /// Positions of its columns.
    columns: Vec<usize>,
    /// Which rows it covers, as SQL over the table's columns.
    predicate: Option<String>,
    /// Whether NULL is equal to NULL in it.
    nulls_equal: bool,
}

impl Unique {
    /// Whether it is over the very columns that a row is known by.
    pub(super) fn is_identity(&self, table: &TargetTable) -> bool {
        self.columns.len() == table.identity.len()
            && self.columns.iter().all(|position| table.identity.contains(position))
    }
}

/// The row that holds a value; locked.
pub(super) struct Holder {
    table_oid: u32,
    place: String,
    /// What it is known by, in its place among the columns.
    pub(super) identity: Tuple,
    /// Whether its time is later than the new row's.
    pub(super) newer: bool,
    /// The row as JSON, where values are kept.
    pub(super) row: Option<String>,
}

/// Schema and name of the constraint that an error is about.
pub(super) fn constraint_of(error: &Error) -> Option<(String, String)> {
    match error {
        Error::Postgres(error) => error.constraint().map(|(schema, name)| (schema.to_owned(), name.to_owned())),
        _ => None,
    }
}

/// Reads a unique index; none for one whose holder cannot be looked up: over expressions or generated columns, checked
/// later, or an exclusion constraint.
pub(super) async fn read_unique(
    session: &Session,
    table: &TargetTable,
    schema: &str,
    name: &str,
) -> Result<Option<Unique>, Error> {
    let row = session
        .query_opt(
            "SELECT x.indnkeyatts, pg_catalog.pg_get_expr(x.indpred, x.indrelid),
                    coalesce((pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct')::bool, false),
                    ARRAY(SELECT a.attname::text
                            FROM unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) WITH ORDINALITY AS k(number, place)
                            JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number
                           ORDER BY k.place)
               FROM pg_catalog.pg_index x
               JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
              WHERE n.nspname = $1 AND i.relname = $2 AND x.indisunique AND NOT x.indisexclusion AND x.indimmediate",
            &[&schema, &name],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let names: Vec<String> = row.get(3);
    let columns: Option<Vec<usize>> =
        names.iter().map(|name| table.columns.iter().position(|column| column.name == *name)).collect();
    let all = usize::try_from(row.get::<_, i16>(0)).ok() == Some(names.len());
    Ok(columns.filter(|_| all).map(|columns| Unique { columns, predicate: row.get(1), nulls_equal: row.get(2) }))
}

/// Finds and locks the row that holds the new row's values; none when it is gone by now.
pub(super) async fn find_holder(
    session: &Session,
    table: &TargetTable,
    unique: &Unique,
    row: &Tuple,
    values: Values,
) -> Result<Option<Holder>, Error> {
    let mut parameters: Vec<Option<TextValue<'_>>> = Vec::new();
    let mut conditions = Vec::new();
    for position in &unique.columns {
        let value = row.values.get(*position);
        let Some(column) = table.columns.get(*position).filter(|_| value != Some(&Value::UnchangedToast)) else {
            return Ok(None);
        };
        parameters.push(text_of(value));
        let (name, number) = (quote_identifier(&column.name), parameters.len());
        let own = format!("(${number}::text)::{}", column.type_sql);
        let equal = format!("t.{name} {} {own}", column.equality);
        conditions.push(if unique.nulls_equal {
            format!("({equal} OR (pg_catalog.num_nulls(t.{name}) = 1 AND ${number}::text IS NULL))")
        } else {
            equal
        });
    }
    // The index's condition names columns only; within the inner query they are this row's.
    conditions.extend(unique.predicate.iter().map(|sql| format!("(SELECT {sql} FROM (SELECT t.*) AS one)")));
    let mut newer = "false".to_owned();
    if let Policy::LatestWins { position, zoned } = table.policy
        && let Some(column) = table.columns.get(position)
    {
        parameters.push(text_of(row.values.get(position)));
        newer = newer_sql(column, zoned, &format!("(${}::text)", parameters.len()), "NULL::int8");
    }
    let identity: Vec<String> = table
        .identity
        .iter()
        .filter_map(|position| table.columns.get(*position))
        .map(|column| output_sql(&format!("t.{}", quote_identifier(&column.name))))
        .collect();
    let sql = format!(
        "SELECT t.tableoid, t.ctid::text, ARRAY[{}]::text[], {newer}, {} FROM {} AS t WHERE {} FOR UPDATE",
        identity.join(", "),
        row_sql(values),
        table.rows_sql(),
        conditions.join(" AND ")
    );
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
    let rows = session.query(&sql, &parameters).await?;
    let Some(found) = rows.first() else { return Ok(None) };
    let texts: Vec<Option<String>> = found.get(2);
    let mut identity = Tuple { values: vec![Value::Null; table.columns.len()] };
    for (position, text) in table.identity.iter().zip(texts) {
        if let (Some(place), Some(text)) = (identity.values.get_mut(*position), text) {
            *place = Value::Text(Bytes::from(text));
        }
    }
    Ok(Some(Holder { table_oid: found.get(0), place: found.get(1), identity, newer: found.get(3), row: found.get(4) }))
}

/// Removes a row that is locked.
pub(super) async fn remove(session: &Session, table: &TargetTable, holder: &Holder) -> Result<(), Error> {
    let sql = format!("DELETE FROM {} AS t WHERE t.ctid = ($1::text)::tid AND t.tableoid = $2", table.rows_sql());
    session.execute(&sql, &[&holder.place, &holder.table_oid]).await?;
    Ok(())
}

/// Reads one row of the source by what it is known by.
pub(super) async fn read_row(source: &Session, table: &TargetTable, key: &Tuple) -> Result<Option<Tuple>, Error> {
    let texts: Vec<Option<TextValue<'_>>> =
        table.identity.iter().map(|position| text_of(key.values.get(*position))).collect();
    let conditions: Vec<String> = table
        .identity
        .iter()
        .filter_map(|position| table.columns.get(*position))
        .zip(1..)
        .map(|(column, number)| {
            format!("t.{} {} (${number}::text)::{}", quote_identifier(&column.name), column.equality, column.type_sql)
        })
        .collect();
    let columns: Vec<String> =
        table.columns.iter().map(|column| output_sql(&format!("t.{}", quote_identifier(&column.name)))).collect();
    let sql = format!(
        "SELECT ARRAY[{}]::text[] FROM ONLY {} AS t WHERE {}",
        columns.join(", "),
        table.source.to_sql(),
        conditions.join(" AND ")
    );
    let parameters: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|value| value as _).collect();
    let row = source.query_opt(&sql, &parameters).await?;
    Ok(row.map(|row| {
        let values: Vec<Option<String>> = row.get(0);
        let value = |text: Option<String>| text.map_or(Value::Null, |text| Value::Text(Bytes::from(text)));
        Tuple { values: values.into_iter().map(value).collect() }
    }))
}
